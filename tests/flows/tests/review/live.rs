use app::use_cases::safe_signatures;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn every_signature_that_is_out_is_listed_and_who_left_is_marked() {
    let world = World::new().await;
    let house = &world.house;
    let mia = world.session("mia").await;
    assert!(safe_signatures(&mia).await.expect("a list").is_empty());
    let (first, second) = (house.approved("first.csv", 5).await, house.approved("second.csv", 6).await);
    for (login, batch) in [("mia", first), ("ada", first), ("max", second)] {
        // max approves too, or the database takes no signature of his.
        if login == "max" {
            let hash = house.content_hash(batch).await;
            house.approve("max", batch, &hash).await.expect("an approval");
        }
        house.sign(login, batch).await.expect("a signature");
    }
    let found = safe_signatures(&mia).await.expect("a list");
    let told: Vec<(String, u32, Vec<&str>)> =
        found.iter().map(|t| (t.state.clone(), t.leg, t.signers.iter().map(|s| s.person.as_str()).collect())).collect();
    assert_eq!(
        told,
        [("SIGNED".to_owned(), 1, vec!["Person mia", "Person ada"]), ("PROPOSED".to_owned(), 1, vec!["Person max"])]
    );
    assert!(found[0].nonce < found[1].nonce && found.iter().flat_map(|t| &t.signers).all(|s| s.left_at.is_none()));
    house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("max") })).await;
    let found = safe_signatures(&mia).await.expect("a list");
    assert!(found[1].signers[0].left_at.is_some(), "a signature outlives who made it: {found:?}");

    // Once its nonce is gone for another transaction, nothing is out.
    house.send("pia", first).await.expect("handed over");
    let leg = house.mine(first).await;
    house.confirm(&leg).await.expect("evidence");
    let found = safe_signatures(&mia).await.expect("a list");
    assert_eq!(found.iter().map(|t| t.batch_id.clone()).collect::<Vec<_>>(), [second.to_string()]);
}
