//! Two at once: exactly one wins, and the other hears why.

use std::fmt::Debug;

use domain::states::BatchState;
use flows::House;
use store::{RefusalCode, StoreError};

/// One won, the other was refused with a code and a sentence.
fn one_wins<T: Debug>(first: Result<T, StoreError>, second: Result<T, StoreError>, code: RefusalCode, says: &str) {
    let refused = match (first, second) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("{both:?}"),
    };
    let StoreError::Refused { code: found, message } = refused else { panic!("{refused}") };
    assert_eq!(found, code, "{message}");
    assert!(message.contains(says), "{message}");
}

#[tokio::test]
async fn a_file_imported_twice_at_once_is_one_batch() {
    let house = House::new().await;
    let lines = [house.line(1, 5)];
    let (first, second) =
        tokio::join!(house.try_import("pia", "same.csv", &lines), house.try_import("pol", "same.csv", &lines));
    one_wins(first, second, RefusalCode::Conflict, "This file is batch 1 already");
}

#[tokio::test]
async fn two_commission_batches_at_once_pay_each_commission_once() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount"), "77".parse().expect("an amount")]).await;
    let (pia, pol) = (house.db("pia").await, house.db("pol").await);
    let acme = house.acme();
    let (first, second) = tokio::join!(
        pia.create_commission_batch(acme.id, acme.safe, "One"),
        pol.create_commission_batch(acme.id, acme.safe, "Two")
    );
    one_wins(first, second, RefusalCode::Conflict, "No commission is payable now");
    assert_eq!(
        house.read("SELECT count(*) = count(DISTINCT source_key) AND count(*) = 4 FROM core.payout_sources").await,
        "true"
    );
}

#[tokio::test]
async fn two_batches_cannot_commit_the_same_money() {
    let house = House::new().await;
    let first = house.import("pia", "one.csv", &[house.line(1, 600_000_000)]).await;
    let second = house.import("pol", "two.csv", &[house.line(1, 600_000_000)]).await;
    let (first, second) = tokio::join!(house.try_submit("pia", first), house.try_submit("pol", second));
    one_wins(first, second, RefusalCode::Conflict, "needs 600000000 base units of USDC and 400000000 are available");
}

#[tokio::test]
async fn a_batch_submitted_twice_at_once_is_submitted_once() {
    let house = House::new().await;
    let batch = house.import("pia", "one.csv", &[house.line(1, 5)]).await;
    let (first, second) = tokio::join!(house.try_submit("pia", batch), house.try_submit("pol", batch));
    one_wins(first, second, RefusalCode::Conflict, "this needs DRAFT");
    assert_eq!(house.read("SELECT count(*) FROM core.transfers WHERE reason = 'payout_hold'").await, "1");
}

#[tokio::test]
async fn an_approval_and_a_return_at_once_leave_one_of_them() {
    let house = House::new().await;
    let batch = house.import("pia", "one.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", batch).await;
    house.approve("mia", batch, &hash).await.expect("an approval");
    let max = house.db("max").await;
    let (approved, returned) = tokio::join!(
        house.approve("ada", batch, &hash),
        max.return_batch(house.acme().id, batch, "the amount looks wrong", &[])
    );
    match (approved, returned) {
        (Ok(state), Err(refused)) => {
            assert_eq!(state, BatchState::Approved);
            assert!(refused.to_string().contains("this needs PENDING_APPROVAL"), "{refused}");
        }
        (Err(refused), Ok(())) => assert!(refused.to_string().contains("changed since it was shown"), "{refused}"),
        both => panic!("{both:?}"),
    }
}

#[tokio::test]
async fn two_last_approvers_at_once_open_signing_once() {
    let house = House::new().await;
    let batch = house.import("pia", "one.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", batch).await;
    let (mia, ada, abe) = tokio::join!(
        house.approve("mia", batch, &hash),
        house.approve("ada", batch, &hash),
        house.approve("abe", batch, &hash)
    );
    let mut states = [mia.expect("an approval"), ada.expect("an approval"), abe.expect("an approval")];
    states.sort();
    assert_eq!(states, [BatchState::PendingApproval, BatchState::Approved, BatchState::Approved]);
    assert_eq!(
        house.read("SELECT count(*) || ' ' || max(nonce) FROM core.safe_transactions WHERE nonce IS NOT NULL").await,
        "1 5"
    );
    assert_eq!(house.read("SELECT count(*) FROM core.intents WHERE kind = 'PAYOUT'").await, "1");
}

#[tokio::test]
async fn one_person_signing_twice_at_once_signs_once() {
    let house = House::new().await;
    let batch = house.approved("one.csv", 5).await;
    let (first, second) = tokio::join!(house.sign("mia", batch), house.sign("mia", batch));
    one_wins(first, second, RefusalCode::Conflict, "You signed this leg already");
}

#[tokio::test]
async fn nonces_stay_contiguous_when_batches_open_and_are_cancelled_at_once() {
    let house = House::new().await;
    let first = house.approved("one.csv", 5).await;
    let second = house.import("pia", "two.csv", &[house.line(1, 6)]).await;
    let hash = house.submit("pia", second).await;
    house.approve("mia", second, &hash).await.expect("an approval");
    let pia = house.db("pia").await;
    let (opened, cancelled) = tokio::join!(
        house.approve("ada", second, &hash),
        pia.cancel_batch(house.acme().id, first, "paid by hand instead")
    );
    assert_eq!(opened.expect("an approval"), BatchState::Approved);
    let nonces = house
        .read("SELECT string_agg(nonce::text, ' ' ORDER BY nonce) FROM core.safe_transactions WHERE nonce IS NOT NULL")
        .await;
    match cancelled {
        Ok(()) => assert_eq!(nonces, "5", "the second batch took the nonce that the first gave back"),
        Err(refused) => {
            assert!(refused.to_string().contains("A later batch waits behind"), "{refused}");
            assert_eq!(nonces, "5 6");
        }
    }
}

#[tokio::test]
async fn two_executors_send_a_leg_once() {
    let house = House::new().await;
    let batch = house.approved("one.csv", 5).await;
    house.hand_over(batch).await;
    let executor = house.db("executor").await;
    let leg = executor.executor_work(31337).await.expect("work").remove(0);
    let send = |byte| {
        executor.record_submission(
            &leg,
            alloy_primitives::B256::repeat_byte(byte),
            &[1],
            alloy_primitives::Address::repeat_byte(9),
            0,
        )
    };
    let (first, second) = tokio::join!(send(1), send(2));
    one_wins(first, second, RefusalCode::Conflict, "not waiting to be sent");
}
