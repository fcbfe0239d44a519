//! Two models' answers of made-up numbers: powers of two, so that what is expected is exact, or a closed form beside it.

use super::*;
use crate::batch::Batch;
use crate::tensor::{Element, Outputs, Tensor, Values};

const EXACT: &str = "[agreement]\nrate_min = 0.9\natol = 0.25\nrtol = 0.0\n[report]\nworst = 2\n";

/// The only answer of a call of one request.
fn answer(values: Values, shape: &[usize]) -> Answer {
    let outputs = Outputs(vec![("y".to_owned(), Tensor::new(shape.to_vec(), values))]);
    Answer::split(outputs, 1).unwrap().remove(0)
}

fn floats(values: &[f32]) -> Answer {
    answer(Values::F32(values.to_vec()), &[1, values.len()])
}

/// The comparison of pairs of answers, champion first; the input of each request is its number, and its segment whether that is even.
fn compared(element: Element, pairs: &[(Answer, Answer)]) -> Comparison {
    let port = Port { name: "y".to_owned(), element, shape: vec![None, None] };
    let ports = [port];
    let mut comparison = Comparison::new(&ports, &ports, &Policy::parse(EXACT).unwrap());
    for (request, (champion, candidate)) in pairs.iter().enumerate() {
        let mut batch = Batch::new(1);
        batch.push("x", Values::I64(vec![i64::try_from(request).unwrap()])).unwrap();
        let even = Some(request.is_multiple_of(2).to_string());
        let segment = BTreeMap::from([("even".to_owned(), even)]);
        let asked = Asked { request: request as u64, row: (0, &batch), segment: Some(&segment) };
        comparison.push(asked, Ok(champion), Ok(candidate));
    }
    comparison
}

fn output(comparison: &Comparison) -> windvane_types::gate::Output {
    comparison.finish().outputs.remove(0)
}

#[test]
fn scores_of_classes_are_compared_as_vectors_as_classes_and_as_distributions() {
    let alike = || (floats(&[0.5, 0.25, 0.25]), floats(&[0.5, 0.25, 0.25]));
    let flipped = (floats(&[0.5, 0.25, 0.25]), floats(&[0.25, 0.5, 0.25]));
    let found = output(&compared(Element::F32, &[alike(), flipped, alike(), alike()]));
    assert_eq!((found.max_abs, found.max_rel), (Some(0.25), Some(1.0)));
    // Two of twelve elements are a quarter off.
    assert_eq!(found.mean_abs, Some(0.5 / 12.0));
    // (1/8 + 1/8 + 1/16) over (1/4 + 1/16 + 1/16).
    assert!((found.min_cosine.unwrap() - 5.0 / 6.0).abs() < 1e-15, "{:?}", found.min_cosine);
    let top = found.top_class.unwrap();
    assert_eq!((top.flips, top.n, top.k, top.top_k_flips), (1, 4, 2, 0));
    // Clopper-Pearson of 1 of 4: scipy.stats.binomtest(1, 4).proportion_ci(0.95, "exact").
    let [lo, hi] = top.ci.unwrap();
    assert!((lo - 0.006_309_463).abs() < 1e-8 && (hi - 0.805_879_550).abs() < 1e-8, "{lo} to {hi}");
    let sequence = top.sequence.unwrap();
    assert!(sequence[0] <= lo && hi <= sequence[1], "holding at every look is wider: {sequence:?}");
    let distribution = found.distribution.unwrap();
    assert_eq!((distribution.n, distribution.max_tv, distribution.mean_tv), (4, Some(0.25), Some(0.0625)));
    // 1/2 ln 2 - 1/4 ln 2.
    let kl = 0.25 * std::f64::consts::LN_2;
    assert!((distribution.max_kl.unwrap() - kl).abs() < 1e-15);
    assert!((distribution.mean_kl.unwrap() - kl / 4.0).abs() < 1e-15);
}

#[test]
fn a_class_outside_of_the_largest_is_a_flip_of_those_too() {
    // Six classes, of which the five largest are looked at: the last and the first change places.
    let champion = [0.5, 0.125, 0.125, 0.125, 0.125, 0.0];
    let candidate = [0.0, 0.125, 0.125, 0.125, 0.125, 0.5];
    let top = output(&compared(Element::F32, &[(floats(&champion), floats(&candidate))])).top_class.unwrap();
    assert_eq!((top.flips, top.k, top.top_k_flips), (1, 5, 1));
}

#[test]
fn scores_that_keep_their_order_are_told_from_those_that_do_not() {
    let pairs = |other: [f32; 4]| {
        let champion = [0.125, 0.25, 0.5, 1.0];
        champion.iter().zip(other).map(|(x, y)| (floats(&[*x]), floats(&[y]))).collect::<Vec<_>>()
    };
    for (other, spearman, drift) in [
        ([0.25, 0.5, 1.0, 2.0], 1.0, 0.25),
        ([1.0, 0.5, 0.25, 0.125], -1.0, 0.0),
        ([4.0, 8.0, 16.0, 32.0], 1.0, 1.0),
    ] {
        let found = output(&compared(Element::F32, &pairs(other)));
        let rank = found.rank.unwrap();
        assert_eq!(rank.n, 4);
        assert!((rank.spearman.unwrap() - spearman).abs() < 1e-12, "{other:?}: {rank:?}");
        assert_eq!(found.drift, Some(drift), "{other:?}");
    }
}

#[test]
fn the_requests_that_are_furthest_apart_are_kept_with_what_was_asked() {
    let apart: Vec<(Answer, Answer)> =
        [0.0_f32, 3.0, 1.0, 2.0].into_iter().map(|off| (floats(&[1.0]), floats(&[1.0 + off]))).collect();
    let comparison = compared(Element::F32, &apart);
    assert_eq!(comparison.counts(), (4, 1));
    let worst = comparison.finish().worst;
    let told: Vec<(u64, Option<f64>)> = worst.iter().map(|one| (one.request, one.times_tolerance)).collect();
    assert_eq!(told, [(1, Some(12.0)), (3, Some(8.0))]);
    assert_eq!(worst[0].what, "output `y` is 4 and was 1 (element 0)");
    assert_eq!(worst[0].inputs["x"].first, [1.0]);
    assert_eq!(worst[0].champion["y"].first, [1.0]);
    assert_eq!(worst[0].candidate["y"].first, [4.0]);
}

#[test]
fn values_that_are_not_finite_and_other_shapes_break_whatever_the_tolerance() {
    for (champion, candidate, nonfinite) in [
        (floats(&[1.0]), floats(&[f32::NAN]), (0, 1)),
        (floats(&[1.0]), floats(&[f32::INFINITY]), (0, 1)),
        (floats(&[1.0]), floats(&[1.0, f32::NAN]), (0, 1)),
        (floats(&[f32::NAN]), floats(&[f32::NAN]), (1, 1)),
    ] {
        let comparison = compared(Element::F32, &[(champion, candidate)]);
        let found = output(&comparison);
        assert_eq!((found.nonfinite_champion, found.nonfinite), nonfinite);
        assert!(comparison.is_broken() && comparison.counts().1 == 0);
    }
    // The champion's own are no fault of the candidate, and no agreement either.
    let own = compared(Element::F32, &[(floats(&[f32::NAN]), floats(&[1.0]))]);
    assert!(!own.is_broken() && own.counts().1 == 0);
}

#[test]
fn integers_and_texts_are_equal_or_not() {
    let words = |word: &str| answer(Values::Text(vec![word.to_owned()]), &[1]);
    let comparison = compared(
        Element::Text,
        &[(words("late"), words("late")), (words("late"), words("on time")), (words("late"), words("late"))],
    );
    assert_eq!(comparison.counts(), (3, 2));
    let found = output(&comparison);
    // The share of `late` falls from 1 to 2/3.
    assert!((found.drift.unwrap() - 1.0 / 3.0).abs() < 1e-15, "{:?}", found.drift);
    assert_eq!(comparison.finish().worst[0].what, "output `y` is `on time` and was `late` (element 0)");
    let whole = |x: i64| answer(Values::I64(vec![x]), &[1]);
    // 2⁵³ + 1 is no 64-bit float, and differs from 2⁵³ all the same.
    let large = 1_i64 << 53;
    let apart = compared(Element::I64, &[(whole(large), whole(large + 1))]);
    assert_eq!(apart.counts(), (1, 0));
}

#[test]
fn the_segment_that_agrees_least_comes_first_at_a_corrected_confidence() {
    let pair = |off: f32| (floats(&[1.0]), floats(&[1.0 + off]));
    // Odd requests are off.
    let pairs: Vec<(Answer, Answer)> = (0..8_u8).map(|at| pair(f32::from(at % 2))).collect();
    let segments = compared(Element::F32, &pairs).finish().segments;
    let told: Vec<(Option<&str>, u64, u64)> =
        segments.iter().map(|one| (one.segment["even"].as_deref(), one.agree, one.n)).collect();
    assert_eq!(told, [(Some("false"), 0, 4), (Some("true"), 4, 4)]);
    // Of none of 4 the upper end at 97.5 %, as there are two segments: 1 - 0.0125^(1/4).
    let upper = 1.0 - 0.0125_f64.powf(0.25);
    assert!((segments[0].ci.unwrap()[1] - upper).abs() < 1e-9, "{:?}", segments[0].ci);
}

#[test]
fn a_document_lists_some_segments_and_a_gate_is_judged_by_all_that_are_told_apart() {
    let port = Port { name: "y".to_owned(), element: Element::F32, shape: vec![None, None] };
    let ports = [port];
    let mut comparison = Comparison::new(&ports, &ports, &Policy::parse(EXACT).unwrap());
    let (mut batch, same) = (Batch::new(1), floats(&[1.0]));
    batch.push("x", Values::I64(vec![0])).unwrap();
    for request in 0..SEGMENTS_MAX + 3 {
        let segment = BTreeMap::from([("user".to_owned(), Some(request.to_string()))]);
        let asked = Asked { request: request as u64, row: (0, &batch), segment: Some(&segment) };
        comparison.push(asked, Ok(&same), Ok(&same));
    }
    let found = comparison.finish();
    assert_eq!((comparison.segments().len(), comparison.segments_unknown()), (SEGMENTS_MAX, 3));
    assert_eq!(found.segments.len(), SEGMENTS_SHOWN);
    assert_eq!(found.segments_left_out, (SEGMENTS_MAX - SEGMENTS_SHOWN + 3) as u64);
}

// By hand: of 400 requests without a difference the exact upper end at 95 % is 1 - 0.025^(1/400); of 400 that all differ each
// distribution is off by √(ln(8/0.05)/800) at most.
#[test]
fn a_spread_of_predictions_has_an_interval() {
    let pairs = |off: f32| {
        let one = |at: u16| (floats(&[f32::from(at)]), floats(&[f32::from(at) + off]));
        output(&compared(Element::F32, &(0..400).map(one).collect::<Vec<_>>()))
    };
    let same = pairs(0.0);
    let [lo, hi] = same.drift_ci.unwrap();
    assert!(
        same.drift == Some(0.0) && lo == 0.0 && (hi - (1.0 - 0.025_f64.powf(1.0 / 400.0))).abs() < 1e-9,
        "{hi}"
    );
    let apart = pairs(1_000.0);
    let [lo, hi] = apart.drift_ci.unwrap();
    let off = 2.0 * (160.0_f64.ln() / 800.0).sqrt();
    assert!(apart.drift == Some(1.0) && hi == 1.0 && (lo - (1.0 - off)).abs() < 0.01, "{lo} to {hi}");
    let words = |word: &str| answer(Values::Text(vec![word.to_owned()]), &[1]);
    let few = output(&compared(Element::Text, &[(words("late"), words("late"))]));
    // One request proves next to nothing: the upper end of none of one is 0.975.
    assert!((few.drift_ci.unwrap()[1] - 0.975).abs() < 1e-9, "{:?}", few.drift_ci);
}
