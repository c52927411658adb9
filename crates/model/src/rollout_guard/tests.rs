//! When a rollout is halted.

use proptest::prelude::*;

use super::*;

const GUARD: RolloutGuard = RolloutGuard {
    min_clients: 10,
    max_silent_increase: Percent::from_hundredths(2_000),
    max_failure_increase: Percent::from_hundredths(1_000),
    grace_minutes: 30,
    max_silent: Percent::from_hundredths(5_000),
    max_failure: Percent::from_hundredths(5_000),
};

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).expect("in range")
}

/// So many clients that were sent it an hour ago, with these turns and failed turns.
fn clients(count: usize, turns: u32, failed_turns: u32) -> Vec<ClientFacts> {
    vec![ClientFacts { since: minute(0), last_at: minute(0), turns, failed_turns }; count]
}

fn figures(groups: &[(usize, u32, u32)]) -> ArmFigures {
    let all: Vec<ClientFacts> =
        groups.iter().flat_map(|(count, turns, failed)| clients(*count, *turns, *failed)).collect();
    arm(&all, GUARD.grace(), minute(60))
}

fn judge(candidate: &[(usize, u32, u32)], baseline: &[(usize, u32, u32)]) -> (Option<ComparedWith>, Option<HaltCause>) {
    let verdict = GUARD.judge(&figures(candidate), &figures(baseline));
    (verdict.compared_with, verdict.halt)
}

const BASELINE: Option<ComparedWith> = Some(ComparedWith::Baseline);
const THRESHOLDS: Option<ComparedWith> = Some(ComparedWith::Thresholds);

#[test]
fn clients_that_do_not_come_back_halt_it() {
    let fine = [(40, 5, 0), (10, 0, 0)];
    assert_eq!(judge(&[(10, 0, 0)], &fine), (BASELINE, Some(HaltCause::Silent)));
    assert_eq!(judge(&[(8, 5, 0), (2, 0, 0)], &fine), (BASELINE, None), "as many as of the others");
    assert_eq!(judge(&[(30, 5, 0), (170, 0, 0)], &fine), (BASELINE, Some(HaltCause::Silent)));
}

#[test]
fn turns_that_fail_halt_it() {
    let fine = [(50, 10, 0)];
    assert_eq!(judge(&[(10, 10, 10)], &fine), (BASELINE, Some(HaltCause::Failures)));
    assert_eq!(judge(&[(20, 10, 0)], &[(20, 10, 9)]), (BASELINE, None), "an outage is the same for both");
    assert_eq!(judge(&[(20, 10, 9)], &[(20, 10, 9)]), (BASELINE, None));
    // One client that fails a thousand times over is one client.
    assert_eq!(judge(&[(1, 1_000, 1_000), (19, 5, 0)], &fine), (BASELINE, None));
}

#[test]
fn few_clients_and_small_differences_are_noise() {
    assert_eq!(judge(&[(9, 0, 0)], &[(50, 5, 0)]), (None, None), "fewer than the guard wants");
    // 40 % against 10 % of ten each: more than is allowed, and likely enough to be chance.
    assert_eq!(judge(&[(6, 1, 0), (4, 0, 0)], &[(9, 1, 0), (1, 0, 0)]), (BASELINE, None));
    // The same of a hundred each is none.
    assert_eq!(judge(&[(60, 1, 0), (40, 0, 0)], &[(90, 1, 0), (10, 0, 0)]), (BASELINE, Some(HaltCause::Silent)));
    // 15 points of a thousand each are certain, and allowed.
    assert_eq!(judge(&[(750, 1, 0), (250, 0, 0)], &[(900, 1, 0), (100, 0, 0)]), (BASELINE, None));
}

#[test]
fn with_nobody_to_compare_with_the_thresholds_decide() {
    for baseline in [&[][..], &[(9, 5, 0)]] {
        assert_eq!(judge(&[(10, 0, 0)], baseline), (THRESHOLDS, Some(HaltCause::Silent)));
        assert_eq!(judge(&[(5, 1, 0), (5, 0, 0)], baseline), (THRESHOLDS, None), "half is not more than half");
        assert_eq!(judge(&[(10, 4, 3)], baseline), (THRESHOLDS, Some(HaltCause::Failures)));
        assert_eq!(judge(&[(10, 4, 1)], baseline), (THRESHOLDS, None));
    }
    assert_eq!(judge(&[], &[]), (None, None));
}

#[test]
fn a_client_is_judged_when_its_grace_is_over() {
    let facts =
        |since, last, turns| ClientFacts { since: minute(since), last_at: minute(last), turns, failed_turns: 0 };
    let judged = |facts: ClientFacts| {
        let arm = arm(&[facts], GUARD.grace(), minute(60));
        (arm.clients, arm.judged, arm.silent)
    };
    assert_eq!(judged(facts(0, 0, 0)), (1, 1, 1));
    assert_eq!(judged(facts(30, 30, 0)), (1, 1, 1), "to the minute");
    assert_eq!(judged(facts(31, 31, 0)), (1, 0, 0));
    assert_eq!(judged(facts(31, 31, 3)), (1, 0, 0), "who came back waits as long");
    assert_eq!(judged(facts(0, 50, 0)), (1, 0, 0), "it has just fetched again");
    assert_eq!(judged(facts(0, 50, 1)), (1, 1, 0));
}

/// Fisher's exact test, against values that R's `fisher.test(…, alternative = "greater")` is defined by:
/// the tail of the hypergeometric distribution, counted out by hand.
#[test]
fn the_chance_is_that_of_fishers_exact_test() {
    let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    close(chance_of((5, 5), (0, 5)), 1.0 / 252.0);
    close(chance_of((1, 1), (0, 50)), 1.0 / 51.0);
    // The lady tasting tea: three or four of four.
    close(chance_of((3, 4), (1, 4)), 17.0 / 70.0);
    close(chance_of((0, 7), (3, 9)), 1.0);
    close(chance_of((0, 0), (0, 0)), 1.0);
    assert!(chance_of((60_000, 100_000), (40_000, 100_000)) < 1e-12);
    assert!(chance_of((40_000, 100_000), (60_000, 100_000)) > 0.999);
}

/// The same sum in whole numbers.
fn counted((part, of): (u32, u32), (other_part, other_of): (u32, u32)) -> f64 {
    let choose =
        |all: u32, some: u32| (0..u128::from(some)).fold(1u128, |ways, n| ways * (u128::from(all) - n) / (n + 1));
    let (hits, all) = (part + other_part, of + other_of);
    let tail = (part..=hits.min(of)).filter(|found| of - found <= all - hits);
    tail.map(|found| choose(hits, found) * choose(all - hits, of - found)).sum::<u128>() as f64 / choose(all, of) as f64
}

proptest! {
    #[test]
    fn the_chance_is_counted_right(of in 0u32..30, other_of in 0u32..30, a in 0.0..=1.0, b in 0.0..=1.0) {
        let part = (f64::from(of) * a) as u32;
        let other_part = (f64::from(other_of) * b) as u32;
        let (one, other) = ((part, of), (other_part, other_of));
        let (found, wanted) = (chance_of(one, other), counted(one, other));
        prop_assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    }

    /// Where both do alike nothing is halted, and where it is, one more that does badly changes nothing.
    #[test]
    fn doing_worse_never_helps(good in 0usize..40, silent in 0usize..40, others in 0usize..40, mute in 0usize..40) {
        let baseline = [(others, 3, 0), (mute, 0, 0)];
        let halted = |good, silent| judge(&[(good, 3, 0), (silent, 0, 0)], &baseline).1.is_some();
        if good + silent > 0 && halted(good, silent) {
            prop_assert!(halted(good, silent + 1));
        }
        if others + mute >= 10 {
            prop_assert!(!halted(others, mute), "alike");
        }
    }
}

#[test]
fn a_guard_says_only_what_differs_from_the_defaults() {
    let guard: RolloutGuard = serde_json::from_str(r#"{"min_clients":3,"max_silent_increase":12.5}"#).expect("a guard");
    let expected = RolloutGuard {
        min_clients: 3,
        max_silent_increase: Percent::from_hundredths(1_250),
        ..RolloutGuard::default()
    };
    assert_eq!(guard, expected);
    assert!(serde_json::from_str::<RolloutGuard>(r#"{"min":3}"#).is_err());
}
