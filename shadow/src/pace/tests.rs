//! The pacer by property: driven by an invented clock and an invented model.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// One call of the model.
#[derive(Debug)]
struct Call {
    at: Nanos,
    due: Vec<Nanos>,
}

/// Drives a pacer over `requests` with a model that takes `service` for a call, and gives what it was asked.
fn drive(mut pacer: Pacer, requests: usize, service: Nanos) -> Vec<Call> {
    let (mut now, mut left, mut calls) = (0, requests, Vec::new());
    loop {
        match pacer.step(now, left) {
            Step::Done => return calls,
            Step::Wait(until) => {
                assert!(until > now, "it waits for what is to come");
                now = until;
            }
            Step::Ask(count) => {
                let due = pacer.ask(count);
                calls.push(Call { at: now, due });
                left -= count;
                now += service;
                pacer.answered(count, now);
            }
        }
    }
}

fn pace() -> impl Strategy<Value = Pace> {
    prop_oneof![
        Just(Pace::Max),
        (1.0..1e6).prop_map(Pace::Constant),
        (1.0..1e6).prop_map(Pace::Poisson),
        (1_u32..64).prop_map(Pace::Closed),
    ]
}

proptest! {
    // Every request is asked once, none before it is due, and no call is larger than allowed.
    #[test]
    fn all_are_asked_once_and_none_early(
        pace in pace(), rows_max in 1_usize..40, wait in 0_u64..2_000_000, requests in 0_usize..300, service in 1_u64..3_000_000,
    ) {
        let batching = Batching { rows_max, wait: Duration::from_nanos(wait) };
        let calls = drive(Pacer::new(pace, batching, 7), requests, service);
        prop_assert_eq!(calls.iter().map(|call| call.due.len()).sum::<usize>(), requests);
        for call in &calls {
            prop_assert!((1..=rows_max).contains(&call.due.len()));
            prop_assert!(call.due.iter().all(|due| *due <= call.at));
        }
        let due: Vec<Nanos> = calls.iter().flat_map(|call| call.due.clone()).collect();
        prop_assert!(due.is_sorted(), "requests are asked in the order in which they are due");
    }

    // A model that is free asks a request no later than its wait after it was due.
    #[test]
    fn nobody_waits_longer_than_the_wait_while_the_model_is_free(
        rate in 10.0..1e5, rows_max in 1_usize..40, wait in 0_u64..2_000_000, service in 1_u64..100_000,
    ) {
        let batching = Batching { rows_max, wait: Duration::from_nanos(wait) };
        let calls = drive(Pacer::new(Pace::Poisson(rate), batching, 3), 200, service);
        let mut free = 0;
        for call in &calls {
            let oldest = call.due[0];
            prop_assert!(call.at <= (oldest + wait).max(free), "{call:?} free at {free}");
            free = call.at + service;
        }
    }

    // No more requests are under way than there are clients.
    #[test]
    fn clients_wait_for_their_answers(clients in 1_u32..30, rows_max in 1_usize..40, service in 1_u64..1_000) {
        let batching = Batching { rows_max, wait: Duration::ZERO };
        let calls = drive(Pacer::new(Pace::Closed(clients), batching, 0), 200, service);
        for call in &calls {
            prop_assert!(call.due.len() <= clients as usize);
        }
        // Latency of a saturated closed loop is clients over throughput (Little).
        if rows_max == 1 {
            let last = calls.last().unwrap();
            prop_assert_eq!(last.at - last.due[0], u64::from(clients - 1) * service);
        }
    }

    // The mean gap of a Poisson process is what its rate says, within five standard errors.
    #[test]
    fn a_poisson_process_has_its_rate(rate in 10.0..1e5, seed in 0_u64..1_000) {
        let calls = drive(Pacer::new(Pace::Poisson(rate), Batching::NONE, seed), 2_000, 1);
        let last = calls.last().unwrap().due[0] as f64 / 1e9;
        prop_assert!((last * rate / 2_000.0 - 1.0).abs() < 5.0 / 2_000_f64.sqrt(), "{last} s at {rate}");
    }
}

#[test]
fn a_constant_rate_is_even_and_does_not_wait_for_the_model() {
    let calls = drive(Pacer::new(Pace::Constant(1000.0), Batching::NONE, 0), 4, 5_000_000);
    let due: Vec<Nanos> = calls.iter().map(|call| call.due[0]).collect();
    assert_eq!(due, [0, 1_000_000, 2_000_000, 3_000_000]);
    // The model falls behind, and the latency from when requests were due shows it.
    assert_eq!(calls[3].at - calls[3].due[0], 12_000_000);
}

#[test]
fn recorded_instants_are_kept_and_sped_up() {
    let mut pacer = Pacer::new(Pace::Original(2.0), Batching::NONE, 0);
    pacer.record([1_000_000, 1_000_010, 1_000_004, 1_001_000]);
    let due: Vec<Nanos> = drive(pacer, 4, 1).iter().map(|call| call.due[0]).collect();
    assert_eq!(due, [0, 5_000, 5_000, 500_000]);
}

#[test]
fn a_call_goes_when_it_is_full_or_its_first_has_waited() {
    let batching = Batching { rows_max: 3, wait: Duration::from_micros(10) };
    let mut pacer = Pacer::new(Pace::Original(1.0), batching, 0);
    pacer.record([0, 1, 2, 3, 100]);
    let calls = drive(pacer, 5, 1_000);
    let sizes: Vec<(Nanos, usize)> = calls.iter().map(|call| (call.at, call.due.len())).collect();
    assert_eq!(sizes, [(2_000, 3), (13_000, 1), (100_000, 1)]);
}

#[test]
fn paces_read_as_they_are_written() {
    for word in ["max", "original[x2.5]", "poisson:100", "constant:0.5", "closed:8"] {
        assert_eq!(word.parse::<Pace>().unwrap().to_string(), word);
    }
    assert_eq!("original".parse(), Ok(Pace::Original(1.0)));
    assert_eq!("originalx10".parse(), Ok(Pace::Original(10.0)));
    for word in [
        "",
        "fast",
        "poisson:0",
        "poisson:-1",
        "poisson:nan",
        "closed:0",
        "closed:1.5",
        "original[2]",
        "constant",
    ] {
        assert!(word.parse::<Pace>().unwrap_err().contains("accepted are"), "{word}");
    }
}
