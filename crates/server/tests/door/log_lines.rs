use std::io;
use std::sync::{Arc, Mutex};

use provost_server::config::LogFormat;
use provost_server::logging::subscriber;
use serde_json::Value;
use tracing::{debug, info, trace, warn};
use tracing_subscriber::fmt::MakeWriter;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What `log` writes under a filter.
fn lines(format: LogFormat, filter: Option<&str>, log: impl FnOnce()) -> String {
    let kept = Lines::default();
    let subscriber = subscriber(format, filter, false, kept.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, log);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_json_line_is_one_object() {
    let text = lines(LogFormat::Json, None, || {
        warn!(member = "m1", "refused");
        debug!("not at this level");
    });
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &"refused".into()));
    assert_eq!(line["member"], "m1");
}

#[test]
fn libraries_that_print_whole_heads_never_get_so_far() {
    let filter = "trace,h2=trace,hyper::proto=trace,provost=debug";
    let text = lines(LogFormat::Text, Some(filter), || {
        trace!(target: "h2::codec", "authorization: Bearer s3cret");
        debug!(target: "hyper::proto::h1", "cookie: s3cret");
        info!(target: "hyper::server", "fine");
        trace!("ours");
    });
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("fine") && text.contains("ours"), "{text}");
}

#[test]
fn a_filter_that_cannot_be_read_says_what_can() {
    for filter in ["info=loud=very", "[request]=trace"] {
        let Err(error) = subscriber(LogFormat::Text, Some(filter), false, io::sink) else {
            panic!("{filter} was taken");
        };
        assert!(format!("{error:#}").contains("write a level such as info"), "{error:#}");
    }
}
