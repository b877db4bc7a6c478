//! Changes replayed from a pinned root, without a database.

use chrono::{DateTime, TimeDelta, Utc};
use countersign_signing::IdentityKey;
use countersign_signing::trust::{
    AssetPin, BatchFacts, CommissionFacts, House, OpeningFacts, PolicyPin, Root, SafePin, SignedChange, Stage,
};
use domain::id::{AssetId, ChangeId, ProgramId, SafeId, StaffId};
use domain::{change, statement};
use serde_json::{Value, json};
use uuid::Uuid;

/// Changes in the making: each a second after the one before.
struct Book {
    keys: Vec<(StaffId, IdentityKey)>,
    changes: Vec<SignedChange>,
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn staff(number: u128) -> StaffId {
    StaffId::new(id(number))
}

fn at(second: usize) -> DateTime<Utc> {
    let second = i64::try_from(second).expect("few changes");
    DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn program() -> ProgramId {
    ProgramId::new(id(0xacce))
}

impl Book {
    /// Two founders, 1 and 2, with their keys.
    fn founded() -> (Self, Root) {
        let mut book = Self { keys: Vec::new(), changes: Vec::new() };
        let prints = [1, 2].map(|who| {
            let key = IdentityKey::generate().expect("random");
            let print = key.public().fingerprint();
            book.register(who, 3 - who, key);
            print
        });
        (book, Root(prints))
    }

    fn key(&self, who: u128) -> &IdentityKey {
        &self.keys.iter().rev().find(|(staff_id, _)| *staff_id == staff(who)).expect("a key").1
    }

    fn register(&mut self, who: u128, confirmer: u128, key: IdentityKey) {
        let body = json!({ "staff_id": staff(who), "public_key": hex::encode(key.public().to_bytes()) });
        self.keys.push((staff(who), key));
        self.change(who, confirmer, None, "identity_key.add", &body);
    }

    /// A change signed by both as they should; answers the id of what it makes.
    fn change(
        &mut self,
        proposer: u128,
        confirmer: u128,
        program: Option<ProgramId>,
        kind: &str,
        body: &Value,
    ) -> Uuid {
        let number = self.changes.len() + 1;
        let id = ChangeId::new(id(0x1000 + u128::try_from(number).expect("few changes")));
        let scope = program.unwrap_or(ProgramId::new(Uuid::nil()));
        let payload = body.to_string();
        let hash = change::hash(kind, &payload);
        let confirmed = self.keys.iter().any(|(who, _)| *who == staff(confirmer));
        let confirmation =
            confirmed.then(|| self.key(confirmer).sign(&statement::confirm_change(scope, id, &hash)).to_vec());
        self.changes.push(SignedChange {
            id,
            program,
            kind: kind.to_owned(),
            payload,
            proposed_by: staff(proposer),
            proposed_at: at(number),
            proposed_signature: Some(self.key(proposer).sign(&statement::propose_change(scope, id, &hash)).to_vec()),
            confirmed_by: staff(confirmer),
            confirmed_at: at(number),
            confirmed_signature: confirmation,
        });
        id.as_uuid()
    }

    /// A person with a key and a role; answers their number and the id of their grant.
    fn person(&mut self, name: &str, role: &str, program: Option<ProgramId>) -> (u128, Uuid) {
        let who = self.change(1, 2, None, "staff.add", &json!({ "login": name, "person": name })).as_u128();
        let grant = self.change(2, 1, program, "grant.add", &json!({ "staff_id": staff(who), "role": role }));
        self.register(who, 1, IdentityKey::generate().expect("random"));
        (who, grant)
    }

    fn asset(&mut self, proposer: u128, confirmer: u128) -> Uuid {
        let body = json!({ "chain_id": 1, "token": null, "symbol": "ETH", "decimals": 18 });
        self.change(proposer, confirmer, Some(program()), "asset.add", &body)
    }

    fn replay(&self, root: &Root) -> House {
        House::replay(root, &self.changes).expect("the founders are here")
    }
}

fn ether() -> AssetPin {
    AssetPin { chain_id: 1, token: None, symbol: "ETH".to_owned(), decimals: 18 }
}

/// Why the last change counts for nothing.
fn last_refusal(house: &House) -> &str {
    &house.unproven().last().expect("a change that does not verify").why
}

#[test]
fn what_two_people_signed_is_so_and_nothing_else() {
    let (mut book, root) = Book::founded();
    let ((ada, _), (abe, _)) =
        (book.person("ada", "admin", Some(program())), book.person("abe", "admin", Some(program())));
    let asset = AssetId::new(book.asset(ada, abe));
    let house = book.replay(&root);
    assert!(house.unproven().is_empty(), "{:?}", house.unproven());
    house.check_asset(program(), asset, &ether()).expect("as it was signed");
    let six = AssetPin { decimals: 6, ..ether() };
    assert!(house.check_asset(program(), asset, &six).expect_err("other decimals").0.contains("decimals differ"));
    let elsewhere = house.check_asset(ProgramId::new(id(9)), asset, &ether());
    assert!(elsewhere.expect_err("another program").0.contains("no change that two people signed"));
    assert!(house.check_safe(program(), SafeId::new(id(7)), "Ops", &safe_pin()).is_err());
}

#[test]
fn who_may_not_signs_for_nothing() {
    let (mut book, root) = Book::founded();
    let ((ada, _), (max, _)) =
        (book.person("ada", "admin", Some(program())), book.person("max", "manager", Some(program())));
    let before = book.changes.len();
    for (proposer, confirmer, says) in [
        (ada, max, "was confirmed by max, who did not hold manage_rules"),
        (max, ada, "was proposed by max, who did not hold manage_rules"),
        (ada, ada, "was proposed and confirmed by one person"),
    ] {
        book.changes.truncate(before);
        let asset = AssetId::new(book.asset(proposer, confirmer));
        let house = book.replay(&root);
        assert_eq!(last_refusal(&house), says);
        let refused = house.check_asset(program(), asset, &ether()).expect_err("nobody signed it who might");
        assert_eq!(refused.0, format!("The asset ETH was not signed by two people who might: the change {says}"));
    }
    // Nobody grants themselves a role, though both signatures are good.
    book.changes.truncate(before);
    book.change(1, 2, None, "grant.add", &json!({ "staff_id": staff(2), "role": "admin" }));
    assert_eq!(last_refusal(&book.replay(&root)), "grants a role to one of the two who signed it");
    // A kind that this program does not know changes nothing.
    book.change(1, 2, None, "role.widen", &json!({}));
    assert!(last_refusal(&book.replay(&root)).contains("does not know"));
}

#[test]
fn a_signature_is_over_this_text_of_this_kind_for_this_program() {
    let (mut book, root) = Book::founded();
    let ((ada, _), (abe, _)) =
        (book.person("ada", "admin", Some(program())), book.person("abe", "admin", Some(program())));
    book.asset(ada, abe);
    let signed = book.changes.clone();
    let edits: [fn(&mut SignedChange); 7] = [
        |c| c.payload = c.payload.replace("18", "6"),
        |c| c.kind = "safe.add".into(),
        |c| c.id = ChangeId::new(id(77)),
        |c| c.program = None,
        |c| c.proposed_signature = c.confirmed_signature.clone(),
        |c| c.confirmed_signature = None,
        |c| std::mem::swap(&mut c.proposed_by, &mut c.confirmed_by),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        book.changes = signed.clone();
        edit(book.changes.last_mut().expect("the asset"));
        assert_eq!(book.replay(&root).unproven().len(), 1, "edit {number}");
    }
}

#[test]
fn rights_and_keys_end() {
    let (mut book, root) = Book::founded();
    let (ada, grant) = book.person("ada", "admin", Some(program()));
    let (abe, _) = book.person("abe", "admin", Some(program()));
    // A new machine means a new key, and the old one signs no more.
    let old = book.changes.len();
    book.register(ada, 2, IdentityKey::generate().expect("random"));
    book.asset(ada, abe);
    assert!(book.replay(&root).unproven().is_empty());
    let new_key = book.keys.pop().expect("her new key");
    book.changes.truncate(old + 1);
    book.asset(ada, abe);
    assert_eq!(last_refusal(&book.replay(&root)), "was not proposed with an identity key of ada");
    book.keys.push(new_key);
    // A grant that was revoked, then a person who was removed.
    book.changes.truncate(old + 1);
    book.change(1, 2, Some(program()), "grant.revoke", &json!({ "grant_id": grant }));
    book.asset(ada, abe);
    assert_eq!(last_refusal(&book.replay(&root)), "was proposed by ada, who did not hold manage_rules");
    book.changes.truncate(old + 1);
    book.change(1, 2, None, "staff.revoke", &json!({ "staff_id": staff(ada) }));
    book.asset(ada, abe);
    assert_eq!(last_refusal(&book.replay(&root)), "was not proposed with an identity key of ada");
}

#[test]
fn keys_prove_themselves_and_the_root_is_pinned() {
    let (mut book, root) = Book::founded();
    let before = book.changes.len();
    // A key in somebody's name that they do not have, confirmed by a founder.
    let who = book.change(1, 2, None, "staff.add", &json!({ "login": "eve", "person": "eve" })).as_u128();
    book.register(who, 2, IdentityKey::generate().expect("random"));
    let registered = book.changes.last_mut().expect("the key");
    registered.proposed_signature = Some(vec![7; 64]);
    assert_eq!(last_refusal(&book.replay(&root)), "is not signed with the key that it registers");
    // A founder's key in another's name.
    book.changes.truncate(before);
    book.changes[0].proposed_by = staff(9);
    let refused = House::replay(&root, &book.changes).expect_err("the first founder is gone");
    assert!(refused.0.contains("Nobody in this database proves to have the pinned identity key"), "{refused}");
    let (other, _) = Book::founded();
    assert!(House::replay(&root, &other.changes).is_err(), "another house");
}

#[test]
fn policies_are_those_that_two_people_set_or_that_a_pegged_asset_begins_with() {
    let (mut book, root) = Book::founded();
    let ((ada, _), (abe, _)) =
        (book.person("ada", "admin", Some(program())), book.person("abe", "admin", Some(program())));
    let body = json!({ "chain_id": 1, "token": null, "symbol": "ETH", "decimals": 18, "pegged_to": "USD" });
    let asset = AssetId::new(book.change(ada, abe, Some(program()), "asset.add", &body));
    let zero = format!("{:#x}", domain::Address::ZERO);
    let body = json!({ "chain_id": 1, "address": zero, "version": "1.4.1", "singleton": zero, "fallback_handler": zero, "threshold": 2, "owners": [] });
    let safe = SafeId::new(book.change(ada, abe, Some(program()), "safe.add", &body));
    let policy = |units: &str, approvers| PolicyPin {
        asset,
        at_least: units.parse().expect("an amount"),
        approvers,
        high_value: units.len() > 9,
        software_keys: false,
    };
    let ten_thousand = "10000000000000000000000";
    let says = |book: &Book, rows: &[PolicyPin]| {
        let rows = rows.iter().map(|row| (id(5), row.clone())).collect();
        let refused = book.replay(&root).check_batch(&facts(safe, asset, rows), Stage::Approve).expect_err("no lines");
        refused.0
    };
    // Whatever begins with the asset may be in force; nothing else may.
    let goes_on = "Nobody submitted this content of the batch";
    assert_eq!(says(&book, &[policy("0", 1), policy(ten_thousand, 2)]), goes_on);
    assert!(says(&book, &[policy("0", 1), policy(ten_thousand, 1)]).contains("is not as two people signed it"));
    assert!(says(&book, &[policy("7", 1)]).contains("no change that two people signed put it there"));
    // What two people set must be in force.
    let set = json!({ "asset_id": asset, "at_least": "0", "approvers": 3 });
    book.change(ada, abe, Some(program()), "policy.set", &set);
    assert_eq!(says(&book, &[policy("0", 3), policy(ten_thousand, 2)]), goes_on);
    assert!(says(&book, &[policy(ten_thousand, 2)]).contains("which two people signed, is not in force"));
    assert!(says(&book, &[policy("0", 1)]).contains("is not as two people signed it"));
}

/// A batch of nothing.
fn facts(safe: SafeId, asset: AssetId, policies: Vec<(Uuid, PolicyPin)>) -> BatchFacts {
    BatchFacts {
        program: program(),
        batch: domain::id::BatchId::new(id(3)),
        content_hash: [0; 32],
        safe: (safe, "Ops".to_owned(), safe_pin()),
        assets: [(asset, ether())].into(),
        policies,
        revisions: Vec::new(),
        approvals: Vec::new(),
        required: 1,
        lines: Vec::new(),
        commissions: CommissionFacts::default(),
        openings: OpeningFacts::default(),
        machines: Vec::new(),
    }
}

fn safe_pin() -> SafePin {
    SafePin {
        chain_id: 1,
        address: domain::Address::ZERO,
        version: "1.4.1".into(),
        singleton: domain::Address::ZERO,
        fallback_handler: domain::Address::ZERO,
        threshold: 2,
        owners: [].into(),
    }
}
