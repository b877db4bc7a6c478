//! Random interleavings of every operation, beside a model in memory that says what each of them does or refuses.
//!
//! After each step the model and the database tell the same: states, holds and balances. And what must hold whatever
//! happened holds: debits equal credits per asset, nothing available is below zero, one effect per key, no approver among
//! the editors, balances that a sum over all transfers gives again.

mod model;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::model::Model;
use crate::steps::{Step, World};

fn any_step() -> impl Strategy<Value = Step> {
    let batch = any::<u8>();
    let person = 0..4_u8;
    prop_oneof![
        60 => (batch, person.clone()).prop_map(|(batch, person)| Step::Advance { batch, person }),
        3 => (0..3_u8, 0..2_u8, 1..400_u64).prop_map(|(file, person, units)| Step::Import { file, person, units: units * 1_000_000 }),
        1 => (0..2_u8).prop_map(|person| Step::FromCommissions { person }),
        4 => (batch, 0..3_u8).prop_map(|(batch, person)| Step::Submit { batch, person }),
        8 => (batch, person.clone()).prop_map(|(batch, person)| Step::Approve { batch, person }),
        1 => (batch, person.clone()).prop_map(|(batch, person)| Step::Return { batch, person }),
        1 => (batch, person.clone()).prop_map(|(batch, person)| Step::Reject { batch, person }),
        1 => (batch, person.clone()).prop_map(|(batch, person)| Step::Cancel { batch, person }),
        8 => (batch, person).prop_map(|(batch, person)| Step::Sign { batch, person }),
        4 => (batch, 0..4_u8).prop_map(|(batch, person)| Step::HandOver { batch, person }),
        4 => batch.prop_map(|batch| Step::Record { batch }),
        4 => batch.prop_map(|batch| Step::Mine { batch }),
        1 => batch.prop_map(|batch| Step::Unmine { batch }),
        4 => batch.prop_map(|batch| Step::Confirm { batch }),
        1 => batch.prop_map(|batch| Step::Unpay { batch }),
        1 => batch.prop_map(|batch| Step::Fail { batch }),
        1 => batch.prop_map(|batch| Step::Replace { batch }),
        1 => (0..2_u8).prop_map(|used| Step::Observe { used }),
        1 => Just(Step::Freeze),
        2 => Just(Step::Lift),
        3 => (0..4_u8, 1..4_u64).prop_map(|(charge, units)| Step::Sell { charge, units: units * 1_000_000_000 }),
        2 => Just(Step::Settle),
    ]
}

#[test]
fn every_interleaving_agrees_with_the_model() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config =
        ProptestConfig { cases: 12, failure_persistence: None, max_shrink_time: 40_000, ..ProptestConfig::default() };
    let steps_taken = std::cell::Cell::new((0_u32, 0_u32));
    let check = TestRunner::new(config).run(&proptest::collection::vec(any_step(), 60..120), |steps| {
        runtime.block_on(async {
            let world = World::new().await;
            let mut model = Model::default();
            for (n, step) in steps.into_iter().enumerate() {
                let step = model.resolve(step);
                let expected = model.take(&step);
                let done = world.take(&step, &mut model).await;
                prop_assert_eq!(done.is_ok(), expected, "step {}, {:?}: {:?}", n, step, done.err());
                let (all, allowed) = steps_taken.get();
                steps_taken.set((all + 1, allowed + u32::from(expected)));
                prop_assert_eq!(world.told().await, model.told(), "after step {}, {:?}", n, step);
                prop_assert_eq!(world.broken_laws().await, "", "after step {}, {:?}", n, step);
            }
            Ok(())
        })
    });
    check.expect("the database does what the model does");
    let (all, allowed) = steps_taken.get();
    assert!(allowed > all / 3, "only {allowed} of {all} steps did something: the interleavings say too little");
}
