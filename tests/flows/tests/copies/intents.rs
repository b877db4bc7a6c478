//! What screens read from the local copy is what the shared database holds.

use flows::House;
use replica::read::{Filter, Page, Part, Sort, Test, intent, intents};
use uuid::Uuid;

use super::{Copy, now};

fn part(filters: &[(&str, Test, &[&str])], sort: Option<(&str, bool)>) -> Part {
    let filters = filters.iter().map(|(column, test, values)| Filter {
        column: (*column).to_owned(),
        test: *test,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    });
    Part {
        filters: filters.collect(),
        sort: sort.map(|(column, descending)| Sort { column: column.to_owned(), descending }),
        offset: 0,
        limit: 50,
        zone: "Europe/Berlin".parse().expect("a zone"),
    }
}

#[tokio::test]
async fn intents_are_filtered_ordered_and_opened_from_the_copy() {
    let house = House::new().await;
    house.sell(&["1000".parse().expect("an amount"), "2500000".parse().expect("an amount")]).await;
    let mut copy = Copy::of(&house, "pia").await;
    copy.pull().await;
    let reader = copy.replica.reader(now()).expect("a reader");
    let connection = reader.at(now()).expect("the lease holds");
    let program: Uuid = house.read("SELECT min(program_id::text) FROM core.intents").await.parse().expect("an id");
    let list = |part: &Part| -> Page<_> { intents(connection, program, part).expect("rows") };

    let all = list(&part(&[], None));
    let count: u32 = house.read("SELECT count(*)::text FROM core.intents").await.parse().expect("a count");
    assert_eq!((all.shown, all.all), (count, count));
    assert!(count >= 2, "{count} intents");
    assert!(all.rows.windows(2).all(|pair| pair[0].id > pair[1].id), "newest first");

    // 2.5 of an asset with 6 decimals is 2,500,000 base units; one base unit more finds nothing.
    let decimals: u32 = house
        .read("SELECT max(decimals)::text FROM core.assets a JOIN core.settlements s ON s.asset_id = a.id")
        .await
        .parse()
        .expect("decimals");
    let units = |units: u128| {
        let digits = format!("{units:0>width$}", width = decimals as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals as usize);
        format!("{whole}.{fraction}0")
    };
    let at_least = |value: &str| list(&part(&[("money", Test::AtLeast, &[value])], None));
    assert_eq!(at_least(&units(2_500_000)).shown, 1);
    assert_eq!(at_least(&units(2_500_001)).shown, 0);
    assert_eq!(at_least(&format!("{}1", units(2_500_000))).shown, 0, "what is cut off counts");
    let dearest = list(&part(&[("money", Test::AtLeast, &["0"])], Some(("money", true))));
    assert_eq!(dearest.rows[0].money.as_ref().map(|money| money.amount.base_units()), Some(2_500_000));

    let completed = list(&part(&[("state", Test::Is, &["COMPLETED"]), ("kind", Test::Is, &["COMMERCE"])], None));
    let wanted = "SELECT count(*)::text FROM core.intents WHERE state = 'COMPLETED' AND kind = 'COMMERCE'";
    assert_eq!(completed.shown.to_string(), house.read(wanted).await);
    assert_eq!(list(&part(&[("createdAt", Test::Until, &["2001-01-01"])], None)).shown, 0);
    let refused =
        intents(connection, program, &part(&[("payload", Test::Has, &["x"])], None)).expect_err("no such column");
    assert!(refused.to_string().contains("no column"), "{refused}");

    let opened = intent(connection, program, dearest.rows[0].id).expect("read").expect("there");
    let settlement = opened.settlement.expect("it settled");
    assert_eq!(settlement.money.amount.base_units(), 2_500_000);
    let commissions = format!("SELECT count(*)::text FROM core.commissions WHERE settlement_id = '{}'", settlement.id);
    assert_eq!(opened.commissions.len().to_string(), house.read(&commissions).await);
    let caused = format!(
        "SELECT count(*)::text FROM core.transfers WHERE cause_id IN (SELECT '{0}'::uuid UNION ALL SELECT id FROM core.commissions WHERE settlement_id = '{0}')",
        settlement.id
    );
    assert_eq!(opened.transfers.len().to_string(), house.read(&caused).await);
    assert!(intent(connection, Uuid::nil(), dearest.rows[0].id).expect("read").is_none(), "another program's");
}
