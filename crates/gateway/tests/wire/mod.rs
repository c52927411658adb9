mod app;
mod bodies;
mod models;
mod refusals;
mod turns;
mod upstream_failures;
mod upstreams;
