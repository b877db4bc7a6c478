//! Commissions and affiliates: as the database has them for each person, with what made each and what it comes to.

use app::use_cases::{affiliate_get, affiliate_list, commission_get, commission_list};
use contract::{ById, CommissionRow, ErrorCode, FilterTest};

use crate::support::{World, asks, heard, refused};

const ROWS: &str = "SELECT c.id || '|' || c.kind || '|' || f.name || '|' || c.state || '|' || c.amount
    FROM core.commissions c JOIN core.affiliates f ON f.program_id = c.program_id AND f.id = c.affiliate_id ORDER BY c.id DESC";
const TREE: &str = "SELECT f.name || '|' || f.referral_code || '|' || core.hex_address(f.wallet) || '|' || coalesce(q.name, '') || '|'
      || (SELECT t.tier FROM core.affiliate_terms t WHERE t.program_id = f.program_id AND t.affiliate_id = f.id AND t.effective_from <= now() ORDER BY t.effective_from DESC LIMIT 1)
    FROM core.affiliates f LEFT JOIN core.affiliates q ON q.program_id = f.program_id AND q.id = f.parent_id ORDER BY lower(f.name)";

/// Base units of USDC, which has six decimals here.
fn units(amount: &str) -> String {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<6}").trim_start_matches('0').to_owned()
}

fn line(row: &CommissionRow) -> String {
    format!("{}|{}|{}|{}|{}", row.id, row.kind, row.affiliate, row.state, units(&row.money.amount))
}

#[tokio::test]
async fn commissions_are_listed_summed_and_traced_to_their_rule() {
    let world = World::new().await;
    let sold = ["2500000", "1000000", "7000000"].map(|units| units.parse().expect("an amount"));
    world.house.sell(&sold).await;
    let (vic, olga) = (world.sits("vic").await, world.sits("olga").await);
    let wanted = world.psql("vic", ROWS).await;
    assert!(wanted.len() >= 6, "{wanted:?}");
    let page = heard(async || {
        let page = commission_list(&vic, asks(&[], None)).await.expect("rows");
        (page.rows.len() == wanted.len()).then_some(page)
    })
    .await;
    assert_eq!(page.rows.iter().map(line).collect::<Vec<_>>(), wanted);
    let sum = world.psql("vic", "SELECT sum(amount)::text FROM core.commissions").await.remove(0);
    let [total] = &page.totals[..] else { panic!("{:?}", page.totals) };
    assert_eq!(units(&total.amount), sum);
    assert_eq!(commission_list(&olga, asks(&[], None)).await.expect("rows").size.all, 0, "another program's");

    let direct =
        asks(&[("kind", FilterTest::Is, &["DIRECT"]), ("affiliate", FilterTest::Has, &["gil"])], Some(("money", true)));
    let page = commission_list(&vic, direct).await.expect("rows");
    let amounts: Vec<&str> = page.rows.iter().map(|row| row.money.amount.as_str()).collect();
    assert_eq!(amounts, ["1.4", "0.5", "0.2"]);
    assert_eq!(page.totals[0].amount, "2.1");
    refused(
        commission_list(&vic, asks(&[("wallet", FilterTest::Has, &["x"])], None)).await,
        ErrorCode::InvalidInput,
        "no column",
    );

    let dearest = &page.rows[0];
    let detail = commission_get(&vic, &ById { id: dearest.id.clone() }).await.expect("a commission");
    assert_eq!((detail.tier.as_deref(), detail.rule_version), (Some("gold"), 1));
    assert!(detail.tier_rate.as_deref().is_some_and(|rate| rate.starts_with("0.2")), "{:?}", detail.tier_rate);
    assert_eq!(detail.settled.amount, "7");
    let intent = world.house.read(&format!("SELECT i.idempotency_key FROM core.intents i JOIN core.settlements s ON s.intent_id = i.id JOIN core.commissions c ON c.settlement_id = s.id WHERE c.id = '{}'", dearest.id)).await;
    assert_eq!(detail.intent, intent);
    refused(commission_get(&olga, &ById { id: dearest.id.clone() }).await, ErrorCode::InvalidInput, "no commission");
}

#[tokio::test]
async fn affiliates_are_a_tree_with_what_each_earned() {
    let world = World::new().await;
    world.house.sell(&["2500000".parse().expect("an amount")]).await;
    for login in ["vic", "olga"] {
        let session = world.sits(login).await;
        let page = affiliate_list(&session, asks(&[], None)).await.expect("rows");
        let shown: Vec<String> = page
            .rows
            .iter()
            .map(|row| {
                let parent = row.parent.as_deref().unwrap_or_default();
                format!("{}|{}|{}|{parent}|{}", row.name, row.code, row.wallet.to_lowercase(), row.tier)
            })
            .collect();
        assert_eq!(shown, world.psql(login, TREE).await, "{login}");
    }
    let vic = world.sits("vic").await;
    let parent = ById { id: world.house.acme().parent.to_string() };
    let detail = heard(async || {
        let detail = affiliate_get(&vic, &parent).await.expect("an affiliate");
        (!detail.totals.is_empty()).then_some(detail)
    })
    .await;
    assert_eq!(detail.children.iter().map(|child| child.name.as_str()).collect::<Vec<_>>(), ["Gil"]);
    let sums = format!(
        "SELECT state || ' ' || count(*) || ' ' || sum(amount) FROM core.commissions WHERE affiliate_id = '{}' GROUP BY state ORDER BY state",
        parent.id
    );
    let shown: Vec<String> = detail
        .totals
        .iter()
        .map(|total| format!("{} {} {}", total.state, total.count, units(&total.money.amount)))
        .collect();
    assert_eq!(shown, world.psql("vic", &sums).await);
    let gold = asks(&[("tier", FilterTest::Has, &["gold"]), ("active", FilterTest::Is, &["YES"])], None);
    let page = affiliate_list(&vic, gold).await.expect("rows");
    assert_eq!(page.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["Gil"]);
    refused(affiliate_get(&world.sits("olga").await.clone(), &parent).await, ErrorCode::InvalidInput, "no affiliate");
}
