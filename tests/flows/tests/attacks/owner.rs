//! The owner's own statements: rules that hold without any function.

use flows::attack::all_refused;
use flows::flow::safe_tx_hash;
use flows::{House, owner_key};

use crate::{bytes, signature, table};

/// The owner key of a person, as SQL.
fn owner_of(login: &str) -> String {
    format!("'\\x{}'", owner_key(login).address().to_string().trim_start_matches("0x"))
}

#[tokio::test]
async fn what_is_approved_and_signed_does_not_move() {
    let house = House::new().await;
    let draft = house.import("pia", "draft.csv", &[house.line(1, 5)]).await;
    let approved = house.approved("approved.csv", 6).await;
    let signed = house.approved("signed.csv", 7).await;
    house.sign("mia", signed).await.expect("a signature");
    let set = |what: &str, batch| format!("UPDATE core.batches SET {what} WHERE id = '{batch}'");
    let lines = |what: &str, batch| format!("UPDATE core.payouts SET {what} WHERE batch_id = '{batch}'");
    let legs = |what: &str, batch| format!("UPDATE core.safe_transactions SET {what} WHERE batch_id = '{batch}'");
    let hold = |batch| {
        format!(
            "INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, occurrence, narration, occurred_at)
             SELECT h.program_id, h.debit_account, h.credit_account, h.asset_id, h.amount, 'VOID', h.id, h.reason, h.cause_id, h.occurrence, 'x', now()
             FROM core.transfers h JOIN core.payouts p ON p.id = h.cause_id WHERE h.phase = 'PENDING' AND p.batch_id = '{batch}'"
        )
    };
    let signature_of = |batch, staff: &str, owner: &str| {
        format!(
            "INSERT INTO core.signatures (program_id, safe_transaction_id, batch_id, safe_id, owner_safe_id, owner, staff_id, content_hash, safe_tx_hash, key_kind, signature)
             SELECT t.program_id, t.id, t.batch_id, t.safe_id, t.safe_id, {owner}, '{}', b.content_hash, t.safe_tx_hash, 'SOFTWARE', {}
             FROM core.safe_transactions t JOIN core.batches b ON b.id = t.batch_id WHERE t.batch_id = '{batch}'",
            house.staff(staff),
            bytes(65)
        )
    };
    let with_hash =
        legs(&format!("safe_tx_hash = '\\x{}'", safe_tx_hash(approved).to_string().trim_start_matches("0x")), approved);
    let attacks = table(
        "owner",
        vec![
            ("a draft is approved", set("state = 'APPROVED'", draft), "CS409", "cannot go from DRAFT to APPROVED"),
            (
                "a draft waits without a content",
                set("state = 'PENDING_APPROVAL'", draft),
                "CS409",
                "not what its content hash says",
            ),
            (
                "content is exchanged",
                set(&format!("content_hash = {}", bytes(32)), approved),
                "CS409",
                "frozen: return it",
            ),
            (
                "a submission is dated back",
                set("submitted_at = now() - interval '2 days'", approved),
                "CS409",
                "frozen: return it",
            ),
            ("a revision is counted down", set("revision = 9", approved), "CS409", "frozen: return it"),
            (
                "a batch gets another creator",
                set(&format!("created_by = '{}'", house.staff("vic")), draft),
                "CS409",
                "keeps its Safe, its source",
            ),
            (
                "a batch gets another Safe",
                set(&format!("safe_id = '{}'", house.other().safe), draft),
                "CS409",
                "keeps its Safe",
            ),
            ("a batch is deleted", format!("DELETE FROM core.batches WHERE id = '{draft}'"), "CS409", "never deleted"),
            (
                "execution without signatures",
                set(&format!("state = 'EXECUTING', executed_by = '{}'", house.staff("pia")), approved),
                "CS409",
                "Every leg needs its signatures",
            ),
            ("a signed batch is cancelled", set("state = 'CANCELLED'", signed), "CS409", "not free before its nonces"),
            ("an amount after submission", lines("amount = amount + 1", approved), "CS409", "frozen: return it"),
            (
                "a recipient after submission",
                lines("recipient = '\\x6666666666666666666666666666666666666666'", approved),
                "CS409",
                "frozen: return it",
            ),
            (
                "a line is added after submission",
                format!(
                    "INSERT INTO core.payouts (program_id, batch_id, line_no, asset_id, recipient, amount, reference) SELECT program_id, batch_id, 9, asset_id, recipient, 1, '' FROM core.payouts WHERE batch_id = '{approved}'"
                ),
                "CS409",
                "frozen",
            ),
            (
                "a line is deleted after submission",
                format!("DELETE FROM core.payouts WHERE batch_id = '{approved}'"),
                "CS409",
                "frozen",
            ),
            ("a signed line is cancelled", lines("state = 'CANCELLED'", signed), "CS409", "A signed line is not free"),
            (
                "a line is paid without evidence",
                format!(
                    "{}; {}; {}",
                    lines("state = 'PROCESSING'", approved),
                    lines("state = 'SENT'", approved),
                    lines("state = 'SETTLED'", approved)
                ),
                "CS409",
                "only by its own evidence",
            ),
            (
                "a live source is let go",
                format!(
                    "UPDATE core.payout_sources s SET live = false FROM core.payouts p WHERE p.id = s.payout_id AND p.batch_id = '{signed}'"
                ),
                "CS409",
                "frozen with it",
            ),
            (
                "a source is deleted",
                format!(
                    "DELETE FROM core.payout_sources s USING core.payouts p WHERE p.id = s.payout_id AND p.batch_id = '{approved}'"
                ),
                "CS409",
                "frozen with it",
            ),
            ("a signed hold is voided", hold(signed), "CS409", "hold of a signed line"),
            (
                "a leg calls another contract",
                legs("to_address = '\\xa83c336b20401af773b6219ba5027174338d1836'", approved),
                "CS409",
                "keeps its fields",
            ),
            ("a signed nonce is exchanged", legs("nonce = 99", signed), "CS409", "keeps its fields, its nonce"),
            (
                "a signed hash is exchanged",
                legs(&format!("safe_tx_hash = {}", bytes(32)), signed),
                "CS409",
                "keeps its fields, its nonce and its hash",
            ),
            (
                "a leg is signed by nobody",
                format!("{with_hash}; {}", legs("state = 'SIGNED'", approved)),
                "CS409",
                "0 of 2 signatures",
            ),
            (
                "a leg is replaced before its nonce is used",
                legs("state = 'REPLACED'", signed),
                "CS409",
                "is not used as far as the watcher has read",
            ),
            (
                "a signature with a colleague's key",
                signature_of(signed, "ada", &owner_of("max")),
                "CS409",
                "registered as theirs",
            ),
            (
                "a signature without a hold",
                format!("{}; {with_hash}; {}", hold(approved), signature_of(approved, "mia", &owner_of("mia"))),
                "CS409",
                "must be held on the treasury",
            ),
            (
                "a signature without an approval",
                signature_of(signed, "max", &owner_of("max")),
                "23503",
                "signatures_program_id_batch_id_staff_id_content_hash_fkey",
            ),
            (
                "an editor becomes an approver",
                format!("UPDATE core.batch_participants SET part = 'APPROVER' WHERE batch_id = '{approved}'"),
                "CS409",
                "append-only",
            ),
            (
                "an editor approves too",
                format!(
                    "INSERT INTO core.batch_participants VALUES ('{}', '{approved}', '{}', 'APPROVER')",
                    house.acme().id,
                    house.staff("pia")
                ),
                "23505",
                "an_editor_cannot_approve",
            ),
            (
                "a creator who is no editor",
                format!(
                    "INSERT INTO core.batches (program_id, number, title, safe_id, source, created_by) VALUES ('{}', 99, 'x', '{}', 'COMMISSIONS', '{}')",
                    house.acme().id,
                    house.acme().safe,
                    house.staff("mia")
                ),
                "23503",
                "its_creator_is_an_editor",
            ),
            (
                "an approval of another content",
                format!(
                    "INSERT INTO core.approvals (program_id, batch_id, staff_id, content_hash, identity_key_id, signature) SELECT program_id, batch_id, staff_id, {}, identity_key_id, {} FROM core.approvals WHERE batch_id = '{approved}' LIMIT 1",
                    bytes(32),
                    signature()
                ),
                "23503",
                "approvals_program_id_batch_id_content_hash_fkey",
            ),
        ],
    );
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn people_keys_and_rules_stay_as_they_were_approved() {
    let house = House::new().await;
    let fixed = |name, sql: &str| (name, sql.to_owned(), "CS409", "stays as it was approved");
    let log = |name, sql: &str| (name, sql.to_owned(), "CS409", "append-only");
    let attacks = table(
        "owner",
        vec![
            fixed("an identity key is exchanged", "UPDATE core.identity_keys SET public_key = sha256('eve')"),
            fixed("an identity key is deleted", "DELETE FROM core.identity_keys"),
            fixed("a login gets another person", "UPDATE core.staff SET person = 'Eve' WHERE login = 'mia'"),
            fixed(
                "a person gets another owner key",
                "UPDATE core.staff SET safe_owner = '\\x6666666666666666666666666666666666666666' WHERE login = 'mia'",
            ),
            fixed("a grant becomes another role", "UPDATE core.grants SET role = 'super_admin'"),
            fixed(
                "a grant moves to another person",
                "UPDATE core.grants SET staff_id = (SELECT id FROM core.staff WHERE login = 'vic')",
            ),
            fixed(
                "a machine moves to another program",
                "UPDATE core.machines SET program_id = NULL, kind = 'executor'",
            ),
            fixed(
                "a Safe gets a lower threshold",
                "UPDATE core.safes SET threshold = 2, address = '\\x6666666666666666666666666666666666666666'",
            ),
            fixed("a policy asks for fewer", "UPDATE core.policies SET approvers = 1"),
            fixed("a policy is deleted", "DELETE FROM core.policies"),
            fixed("a chain confirms sooner", "UPDATE core.chains SET confirmation_depth = 1"),
            fixed("a program's days move", "UPDATE core.programs SET time_zone = 'UTC'"),
            fixed(
                "a revoked grant comes back",
                "UPDATE core.grants SET revoked_at = now() WHERE role = 'viewer'; UPDATE core.grants SET revoked_at = NULL WHERE role = 'viewer'",
            ),
            log("an asset gets other decimals", "UPDATE core.assets SET decimals = 2"),
            log(
                "an owner is added by an update",
                "UPDATE core.safe_owners SET owner = '\\x6666666666666666666666666666666666666666'",
            ),
            log("a rule pays more", "UPDATE core.commission_rules SET base_rate = 1"),
            log(
                "an address is exchanged",
                "UPDATE core.payee_addresses SET address = '\\x6666666666666666666666666666666666666666'",
            ),
            log("audit entries are changed", "UPDATE core.audit_entries SET action = 'x'"),
            log("audit entries are deleted", "DELETE FROM core.audit_entries"),
            log("the audit trail is emptied", "TRUNCATE core.audit_entries CASCADE"),
            log("sources are emptied", "TRUNCATE core.payout_sources"),
            log("freezes are emptied", "TRUNCATE core.freezes"),
            log("grants are emptied", "TRUNCATE core.grants"),
            (
                "an affiliate's wallet is exchanged",
                "UPDATE core.affiliates SET wallet = '\\x6666666666666666666666666666666666666666'".to_owned(),
                "CS409",
                "keeps its parent and its registered wallet",
            ),
            (
                "a closed program is opened by one statement",
                "UPDATE core.programs SET status = 'PAUSED'".to_owned(),
                "CS409",
                "together with the change that two people signed for it (payee_cooling.set, program_status.set)",
            ),
            (
                "a confirmed change is changed",
                "UPDATE core.change_requests SET payload = '{}'".to_owned(),
                "CS409",
                "confirmed as it stands",
            ),
        ],
    );
    all_refused(&house, &attacks).await;
}

#[tokio::test]
async fn paid_money_and_commissions_follow_the_chain() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let batch = house
        .db("pia")
        .await
        .create_commission_batch(house.acme().id, house.acme().safe, "Weekly")
        .await
        .expect("a batch");
    house.approve_by_two(batch).await;
    house.hand_over(batch).await;
    let leg = house.mine(batch).await;
    let evidence = |columns: &str| {
        format!("INSERT INTO core.evidence (program_id, payout_id, safe_transaction_id, chain_id, ethereum_tx_hash, kind, position, asset_id, recipient, amount, block_number, block_hash, block_time)
                 SELECT p.program_id, p.id, t.id, {columns}, t.block_number, t.block_hash, now() FROM core.payouts p JOIN core.safe_transactions t ON t.batch_id = p.batch_id WHERE p.batch_id = '{batch}' LIMIT 1")
    };
    let commissions = |state: &str| format!("UPDATE core.commissions SET state = '{state}'");
    let before = table(
        "owner",
        vec![
            ("paid without a paid line", commissions("PAID"), "CS409", "A commission follows its line"),
            ("payable again while signed", commissions("PAYABLE"), "CS409", "A commission follows its line"),
            ("a commission for somebody else", format!("UPDATE core.commissions SET affiliate_id = '{}'", house.acme().gold), "CS409", "stays as it was approved"),
            ("a larger commission", "UPDATE core.commissions SET amount = amount + 1".to_owned(), "CS409", "stays as it was approved"),
            ("a settlement of another user", "UPDATE core.settlements SET rail = 'x'".to_owned(), "CS409", "stays as it was approved"),
            ("a sent line fails by itself", format!("UPDATE core.payouts SET state = 'FAILED' WHERE batch_id = '{batch}'"), "CS409", "A signed line is not free"),
            ("a batch is executed by word", format!("UPDATE core.batches SET state = 'EXECUTED' WHERE id = '{batch}'"), "CS409", "each of its lines is paid"),
            ("a batch fails by word", format!("UPDATE core.batches SET state = 'FAILED' WHERE id = '{batch}'"), "CS409", "each of its lines has ended"),
            ("a leg fails before its nonce is used", format!("UPDATE core.safe_transactions SET state = 'SUBMITTED' WHERE batch_id = '{batch}'; UPDATE core.safe_transactions SET state = 'FAILED' WHERE batch_id = '{batch}'"), "CS409", "is not used as far as the watcher has read"),
            ("a resend is another transaction", format!("UPDATE core.safe_transactions SET ethereum_tx_hash = {} WHERE batch_id = '{batch}'", bytes(32)), "CS409", "stored first"),
            ("evidence of an unconfirmed leg", evidence("31337, t.ethereum_tx_hash, 'LOG', 0, p.asset_id, p.recipient, p.amount"), "CS409", "Evidence is from the confirmed transaction"),
            ("a submission is exchanged", "UPDATE core.submissions SET executor_nonce = 7".to_owned(), "CS409", "append-only"),
            ("what was sent is exchanged", "UPDATE core.broadcasts SET raw_transaction = ''".to_owned(), "CS409", "append-only"),
            ("a payout is posted before it is paid", format!(
                "INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, occurrence, narration, occurred_at)
                 SELECT h.program_id, h.debit_account, h.credit_account, h.asset_id, h.amount, 'POST', h.id, h.reason, h.cause_id, h.occurrence, 'x', now()
                 FROM core.transfers h JOIN core.payouts p ON p.id = h.cause_id WHERE h.phase = 'PENDING' AND p.batch_id = '{batch}'"), "CS409", "when the chain has paid the line"),
        ],
    );
    all_refused(&house, &before).await;
    house.confirm(&leg).await.expect("evidence");
    let reversal = |reason: &str| {
        format!("INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
                 SELECT program_id, credit_account, debit_account, asset_id, amount, reason || '_reversal', cause_id, occurrence, 'x', now()
                 FROM core.transfers WHERE reason = '{reason}' AND phase LIKE 'POST%'")
    };
    let after = table(
        "owner",
        vec![
            ("a paid commission is payable again", format!("{}; {}", commissions("PENDING_APPROVAL"), commissions("PAYABLE")), "CS409", "A commission follows its line"),
            ("a paid source is let go", "UPDATE core.payout_sources SET live = false".to_owned(), "CS409", "frozen with it"),
            ("a commission in a second live line", format!(
                "INSERT INTO core.batches (program_id, id, number, title, safe_id, source, created_by) SELECT program_id, '{0}', 99, 'x', safe_id, source, created_by FROM core.batches WHERE id = '{batch}';
                 INSERT INTO core.batch_participants SELECT program_id, '{0}', staff_id, part FROM core.batch_participants WHERE batch_id = '{batch}' AND part = 'EDITOR';
                 INSERT INTO core.payouts (program_id, id, batch_id, line_no, asset_id, recipient, amount, reference) SELECT program_id, '{0}', '{0}', 1, asset_id, recipient, amount, '' FROM core.payouts WHERE batch_id = '{batch}' LIMIT 1;
                 INSERT INTO core.payout_sources SELECT program_id, '{0}', source_key, commission_id FROM core.payout_sources LIMIT 1", house.staff("vic")), "23505", "payout_sources_one_live"),
            ("evidence is exchanged", "UPDATE core.evidence SET position = 99".to_owned(), "CS409", "stays as it was approved"),
            ("evidence is deleted", "DELETE FROM core.evidence".to_owned(), "CS409", "stays as it was approved"),
            ("evidence of a paid line is retracted", "UPDATE core.evidence SET retracted_at = now()".to_owned(), "CS409", "retracted when its line is un-paid"),
            ("a paid line is on its way by word", format!("UPDATE core.payouts SET state = 'SENT' WHERE batch_id = '{batch}'"), "CS409", "un-paid only with its leg"),
            ("an executed batch is executed again", format!("UPDATE core.batches SET state = 'EXECUTING' WHERE id = '{batch}'"), "CS409", "when one of its lines is"),
            ("a payment is taken back in the ledger alone", reversal("payout"), "CS409", "when the chain has taken the payment"),
            ("the treasury is filled again", reversal("payout_hold"), "CS409", "when the chain has taken the payment"),
            ("a paid leg is replaced", format!("UPDATE core.safe_transactions SET state = 'SUBMITTED' WHERE batch_id = '{batch}'; UPDATE core.safe_transactions SET state = 'REPLACED', consumed_by = {} WHERE batch_id = '{batch}'", bytes(32)), "CS409", "is not used as far as the watcher has read"),
        ],
    );
    all_refused(&house, &after).await;
}
