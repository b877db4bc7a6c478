//! A batch in a file: rebuilt and verified on a machine of its own, signed there, and the signature brought back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use app::AppError;
use app::offline::{
    BatchFile, SignatureFile, import_signature, read_batch, read_signature, sign_offline, verify, write_batch,
    write_signature,
};
use app::use_cases::{batch_bring_in, batch_carry, batch_plan, batch_verify, leg_code};
use app::{Confirmation, FileKind, Host, Known};
use domain::id::BatchId;
use flows::owner_key;
use money::Amount;
use signing::Signer as _;
use signing::trust::Root;

use crate::support::{FUNDS, World};

/// An approved batch in a file, as mia carries it to her other machine.
async fn carried(world: &World, file: &str, folder: &Path) -> (BatchId, PathBuf) {
    let native = store::ImportLine { asset_id: world.house.acme().eth, ..world.house.line(2, 7) };
    let batch = world.house.import("pia", file, &[world.house.line(1, 5), native]).await;
    world.house.approve_by_two(batch).await;
    let path = folder.join("batch.json");
    write_batch(&world.identified("mia").await, batch, &path).await.expect("a file");
    (batch, path)
}

/// Signed on a machine that has the file, the root and the key, and nothing else.
async fn signed_apart(path: &Path, root: &Root, login: &str, folder: &Path) -> SignatureFile {
    let batch = verify(read_batch(path).await.expect("a batch file"), root).expect("vouched for");
    let signature = sign_offline(&batch, 1, &owner_key(login), folder).expect("signed");
    let out = folder.join(format!("{login}.json"));
    // As with --force: what stood there is replaced whole.
    std::fs::write(&out, "x".repeat(10_000)).expect("written");
    write_signature(&signature, &out).expect("written");
    read_signature(&out).await.expect("a signature file")
}

#[tokio::test]
async fn a_batch_is_signed_without_a_network_and_paid() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (batch, path) = carried(&world, "apart.csv", folder.path()).await;
    let text = std::fs::read_to_string(&path).expect("the file");
    let own = verify(read_batch(&path).await.expect("a batch file"), &world.root()).expect("vouched for");
    assert_eq!((own.legs.len(), own.legs[0].line_nos.as_slice()), (1, [1, 2].as_slice()));
    let theirs = world.rpc.safe_tx_hash_on_chain(world.safe, &own.legs[0].tx, chain::BlockId::latest()).await;
    assert_eq!(theirs.expect("the Safe's own hash"), own.legs[0].hashes.safe_tx_hash);
    // What `safe plan --batch` prints for other tools is the same transaction.
    let mia = world.session("mia", world.root()).await;
    let planned = batch_plan(&mia, batch, None).await.expect("a plan").remove(0);
    assert_eq!(safe::hashes(&planned.domain, &planned.tx), own.legs[0].hashes);
    let other = batch_plan(&mia, batch, Some(9)).await.err().expect("signing opened at another nonce");
    assert!(other.to_string().contains("leave --nonce out"), "{other}");
    for (login, stored) in [("mia", 1), ("ada", 2)] {
        let signature = signed_apart(&path, &world.root(), login, folder.path()).await;
        assert!(!text.contains(&signature.signature.to_string()), "the batch file holds no owner's signature");
        let session = world.session(login, world.root()).await;
        let done = import_signature(&session, &signature).await.expect("stored");
        assert_eq!((done.signatures, done.threshold), (stored, 2));
    }
    world.house.send("pia", batch).await.expect("handed over");
    assert_eq!(world.execute().await.sent.len(), 1);
    world.watch().await;
    world.mine(1).await;
    world.watch().await;
    assert_eq!(world.state(batch).await, "EXECUTED CONFIRMED SETTLED");
    assert_eq!(world.on_chain().await, FUNDS - 5);
}

#[tokio::test]
async fn a_file_that_somebody_changed_is_not_signed() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (_, path) = carried(&world, "changed.csv", folder.path()).await;
    let bytes = std::fs::read(&path).expect("the file");
    let read = || serde_json::from_slice::<BatchFile>(&bytes).expect("a batch file");
    let one = || Amount::from_base_units(1).expect("an amount");
    type Change<'a> = (&'a str, Box<dyn Fn(&mut BatchFile) + 'a>, &'a str);
    let stranger = Address::repeat_byte(0x66);
    let changes: Vec<Change<'_>> = vec![
        ("another recipient", Box::new(|f| f.content.lines[0].recipient = stranger), "Nobody submitted this content"),
        ("another amount", Box::new(|f| f.content.lines[0].amount = one()), "Nobody submitted this content"),
        ("another reference", Box::new(|f| f.content.lines[0].reference = "x".into()), "Nobody submitted this content"),
        ("another order", Box::new(|f| f.content.legs[0].line_nos.reverse()), "Nobody submitted this content"),
        ("another target", Box::new(|f| f.content.legs[0].to = stranger), "Nobody submitted this content"),
        ("another Safe", Box::new(|f| f.content.safe = stranger), "its address differs"),
        (
            "another chain",
            Box::new(|f| {
                f.content.chain_id = 1;
                f.assets.iter_mut().for_each(|a| a.chain_id = 1);
            }),
            "its address differs",
        ),
        ("another owner", Box::new(|f| f.safe.owners[0] = stranger), "its owners differs"),
        ("a lower threshold", Box::new(|f| f.safe.threshold = 1), "its threshold differs"),
        ("other decimals", Box::new(|f| f.assets[0].decimals += 1), "is not as two people signed it"),
        ("no policy", Box::new(|f| f.policies.clear()), "is not in force"),
        ("no approval", Box::new(|f| f.approvals.clear()), "0 people approved this content"),
        (
            "one approval twice",
            Box::new(|f| {
                let first = f.approvals[0].staff;
                f.approvals.retain(|a| a.staff == first);
            }),
            "1 people approved this content",
        ),
        (
            "an approval in another's name",
            Box::new(|f| {
                let name = f.approvals[1].staff;
                f.approvals[0].staff = name;
            }),
            "is not signed with their identity key",
        ),
        (
            "a role that nobody gave",
            Box::new(|f| f.changes.retain(|c| c.kind != "grant.add")),
            "no change that two people signed",
        ),
        (
            "a key that nobody confirmed",
            Box::new(|f| f.changes.retain(|c| c.kind != "identity_key.add")),
            "the pinned identity key",
        ),
    ];
    for (what, change, says) in &changes {
        let mut file = read();
        change(&mut file);
        let error = verify(file, &world.root()).err().unwrap_or_else(|| panic!("{what} is signed"));
        assert!(matches!(error, AppError::Incident(_)) && error.to_string().contains(says), "{what}: {error}");
    }
    let other = Root([world.root().0[0], NOBODY.parse().expect("a fingerprint")]);
    assert!(verify(read(), &other).is_err(), "another root vouches for nobody here");
    let mut without_nonce = read();
    without_nonce.nonces.clear();
    assert!(verify(without_nonce, &world.root()).err().expect("refused").to_string().contains("it was changed since"));
    // Nobody on the way changes anything: the whole file is under the signature of who wrote it.
    let mut later = read();
    later.nonces[0] += 1;
    assert!(verify(later, &world.root()).err().expect("refused").to_string().contains("it was changed since"));
    let mut unsigned = read();
    unsigned.carried = None;
    assert!(verify(unsigned, &world.root()).err().expect("refused").to_string().contains("nobody signed the file"));
    let mut by_preparer = read();
    by_preparer.carried.as_mut().expect("signed").staff = by_preparer.revisions[0].staff;
    assert!(verify(by_preparer, &world.root()).err().expect("refused").to_string().contains("may approve wrote it"));
    let mut other_token = read();
    other_token.content.lines[1].token = Some(stranger);
    assert!(verify(other_token, &world.root()).err().expect("refused").to_string().contains("another token"));
    for (what, text) in
        [("no JSON", "{"), ("a field too many", &*String::from_utf8_lossy(&bytes).replacen('{', "{\"x\": 1,", 1))]
    {
        std::fs::write(&path, text).expect("written");
        assert!(
            read_batch(&path).await.err().unwrap_or_else(|| panic!("{what}")).to_string().contains("no batch file")
        );
    }
}

/// A fingerprint of nobody.
const NOBODY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[tokio::test]
async fn a_signature_is_brought_in_by_its_owner_for_what_it_signs() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (batch, path) = carried(&world, "brought.csv", folder.path()).await;
    let signature = signed_apart(&path, &world.root(), "mia", folder.path()).await;
    let copy = || SignatureFile {
        format: signature.format.clone(),
        key_kind: signature.key_kind.clone(),
        signature: signature.signature.clone(),
        ..signature
    };
    let mia = world.session("mia", world.root()).await;
    let refused = async |session: &app::Session, file: SignatureFile, says: &str| {
        let error = import_signature(session, &file).await.expect_err(says);
        assert!(error.to_string().contains(says), "{says}: {error}");
    };
    refused(&world.session("ada", world.root()).await, copy(), "is not your registered owner key").await;
    let elsewhere = B256::repeat_byte(9);
    refused(&mia, SignatureFile { safe_tx_hash: elsewhere, ..copy() }, "another content or nonce").await;
    let mut flipped = signature.signature.to_vec();
    flipped[40] ^= 1;
    refused(&mia, SignatureFile { signature: flipped.into(), ..copy() }, "is not by").await;
    refused(&mia, SignatureFile { signature: vec![0; 64].into(), ..copy() }, "65 bytes").await;
    refused(&mia, SignatureFile { leg: 2, ..copy() }, "no leg 2").await;
    let stranger = verify(read_batch(&path).await.expect("a batch file"), &world.root()).expect("vouched for");
    let by_nobody = sign_offline(&stranger, 1, &signing::LocalSigner::generate().expect("a key"), folder.path());
    assert!(by_nobody.err().expect("no owner").to_string().contains("is no owner of the Safe"));
    let cancelled =
        world.house.db("pia").await.cancel_batch(world.house.acme().id, batch, "we changed our minds").await;
    assert!(cancelled.expect_err("it may be signed somewhere").to_string().contains("carried away in a file"));
    // A signature that really is mia's, over something else: an incident, and the Safe is frozen.
    let leg = &stranger.legs[0];
    let other = safe::SafeTx { nonce: leg.tx.nonce + U256::from(1), ..leg.tx.clone() };
    let foreign = owner_key("mia").sign_safe_tx(&leg.domain, &other).expect("signed");
    let hash = safe::hashes(&leg.domain, &other).safe_tx_hash;
    let brought = SignatureFile { safe_tx_hash: hash, signature: foreign.bytes.to_vec().into(), ..copy() };
    let incident = import_signature(&mia, &brought).await.expect_err("an incident");
    assert!(
        matches!(incident, AppError::Incident(_)) && incident.to_string().contains("The Safe is frozen"),
        "{incident}"
    );
    world
        .house
        .db("mia")
        .await
        .freeze(world.house.acme().id, "BATCH", batch.as_uuid(), "look again")
        .await
        .expect("frozen");
    assert!(import_signature(&mia, &copy()).await.is_err(), "a frozen batch takes no signature");
    assert_eq!(world.house.read("SELECT count(*)::text FROM core.signatures").await, "0");
    assert_eq!(stranger.legs[0].tx.nonce, U256::ZERO);
}

/// Dialogs at a desk: files lie in one folder, and the person agrees or does not.
struct Desk {
    folder: PathBuf,
    signature: PathBuf,
    agrees: bool,
}

impl Host for Desk {
    fn choose_file(&self, kind: FileKind) -> Option<PathBuf> {
        let path = match kind {
            FileKind::Batch => self.folder.join("batch-1.json"),
            _ => self.signature.clone(),
        };
        path.exists().then_some(path)
    }

    fn save_file(&self, kind: FileKind, suggested_name: &str) -> Option<PathBuf> {
        assert_eq!((kind, suggested_name), (FileKind::Batch, "batch-1.json"));
        Some(self.folder.join(suggested_name))
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        assert!(confirmation.message.contains("it cannot be cancelled"), "{}", confirmation.message);
        self.agrees
    }
}

#[tokio::test]
async fn the_window_carries_verifies_and_brings_in() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let desk = |agrees, signature: &Path| -> Arc<dyn Host> {
        Arc::new(Desk { folder: folder.path().to_owned(), signature: signature.to_owned(), agrees })
    };
    let nowhere = folder.path().join("none.json");
    let batch = world.house.import("pia", "window.csv", &[world.house.line(1, 5)]).await;
    // Before signing is open nobody is even asked.
    let mia = world.session("mia", world.root()).await;
    let early = batch_carry(&mia, desk(true, &nowhere), batch).await.expect_err("a draft");
    assert!(early.to_string().contains("is DRAFT"), "{early}");
    world.house.approve_by_two(batch).await;
    let (mia, known) = (world.identified("mia").await, Known::with_root(world.root()));
    let kept = batch_carry(&mia, desk(false, &nowhere), batch).await.expect_err("kept");
    assert!(matches!(kept, AppError::Cancelled(_)), "{kept}");
    assert_eq!(
        world.house.read("SELECT count(*)::text FROM core.safe_transactions WHERE safe_tx_hash IS NOT NULL").await,
        "0"
    );
    assert!(batch_verify(&known, desk(true, &nowhere)).await.expect("a closed dialog").is_none());
    let written = batch_carry(&mia, desk(true, &nowhere), batch).await.expect("written").expect("a place");
    assert_eq!((written.legs, Path::new(&written.path)), (1, folder.path().join("batch-1.json").as_path()));

    // Another machine needs the pinned keys and nothing else; one that pinned nothing says so.
    let unpinned = Known::open(None, &[]).expect("nothing known");
    let refused = batch_verify(&unpinned, desk(true, &nowhere)).await.expect_err("nothing pinned");
    assert!(refused.to_string().contains("pins no identity keys yet"), "{refused}");
    let seen = batch_verify(&known, desk(true, &nowhere)).await.expect("verified").expect("chosen");
    let code = leg_code(&mia, batch, 1).await.expect("a code");
    assert_eq!(seen.legs[0].hashes.safe_tx_hash, code.hashes.safe_tx_hash);
    assert_eq!(seen.legs[0].code, code.code, "two machines show one code");
    assert_eq!(
        (seen.approved_by.len(), seen.legs[0].lines.len(), &*seen.legs[0].lines[0].money.amount),
        (2, 1, "0.000005")
    );

    let path = folder.path().join("batch-1.json");
    let signature = signed_apart(&path, &world.root(), "mia", folder.path()).await;
    let brought = folder.path().join("mia.json");
    // A signature of another batch is not stored under this one.
    let foreign = SignatureFile { batch_id: BatchId::new(uuid::Uuid::from_u128(7)), ..signature };
    let other = folder.path().join("other.json");
    write_signature(&foreign, &other).expect("written");
    let refused = batch_bring_in(&mia, desk(true, &other), batch).await.expect_err("another batch");
    assert!(refused.to_string().contains("another batch"), "{refused}");
    assert!(batch_bring_in(&mia, desk(true, &nowhere), batch).await.expect("a closed dialog").is_none());
    let stored = batch_bring_in(&mia, desk(true, &brought), batch).await.expect("stored").expect("chosen");
    assert_eq!((stored.leg, stored.signatures, stored.threshold), (1, 1, 2));

    // What was changed on the way is not shown as a batch.
    let text = std::fs::read_to_string(&path).expect("the file").replace("\"number\": 1", "\"number\": 2");
    std::fs::write(&path, text).expect("changed");
    let refused = batch_verify(&known, desk(true, &nowhere)).await.expect_err("changed");
    assert!(matches!(refused, AppError::Incident(_)), "{refused}");
}
