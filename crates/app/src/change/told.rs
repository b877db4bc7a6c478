//! A change in words: what it is about, what each field says, and what is in force of it now.

use alloy_primitives::Address;
use contract::ChangeField;
use domain::wallet::checksummed;
use money::{Decimals, SignedAmount};
use replica::{Connection, ReplicaError, read};
use serde_json::Value;
use uuid::Uuid;

use crate::preflight::lines::is_alike;
use crate::view::{PLAIN_CHARS, grouped, plain};

/// What a change says.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub kind: String,
    /// What it is about, by its name.
    pub subject: String,
    pub fields: Vec<ChangeField>,
    /// Worth knowing before anybody signs.
    pub warnings: Vec<String>,
}

/// Fields that say what a change is about, the first one there is.
const SUBJECTS: [&str; 13] = [
    "name",
    "person",
    "symbol",
    "payee_id",
    "affiliate_id",
    "staff_id",
    "grant_id",
    "safe_id",
    "asset_id",
    "freeze_id",
    "list_id",
    "login",
    "currency",
];

/// Reads the text of a change as people would say it. `is_open` compares it with what is in force now.
pub(crate) fn told(
    connection: &Connection,
    program: Uuid,
    kind: &str,
    payload: &str,
    is_open: bool,
) -> Result<Told, ReplicaError> {
    let body: Value = serde_json::from_str(payload).unwrap_or_default();
    let Some(members) = body.as_object() else {
        return Ok(Told { kind: kind.into(), subject: String::new(), fields: Vec::new(), warnings: Vec::new() });
    };
    let about = ["payee_id", "affiliate_id"].iter().find_map(|name| members.get(*name)?.as_str()?.parse::<Uuid>().ok());
    let now = if is_open { read::in_force(connection, program, kind, about)? } else { Vec::new() };
    let asset = members.get("asset_id").and_then(Value::as_str).and_then(|id| id.parse::<Uuid>().ok());
    let mut fields = Vec::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let was = now.iter().find(|(field, _)| field == name).map(|(_, was)| in_words(was));
        fields.push(ChangeField { name: name.clone(), value: said(connection, program, name, value, asset)?, was });
    }
    let of = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.value.clone());
    let mut subject = SUBJECTS.iter().find_map(|name| of(name)).unwrap_or_default();
    if let (true, Some(role)) = (kind == "grant.add", of("role")) {
        subject = format!("{subject}, {role}");
    }
    let warnings = if is_open { warnings(connection, program, members, about)? } else { Vec::new() };
    Ok(Told { kind: kind.into(), subject, fields, warnings })
}

fn said(
    connection: &Connection,
    program: Uuid,
    name: &str,
    value: &Value,
    asset: Option<Uuid>,
) -> Result<String, ReplicaError> {
    Ok(match value {
        Value::String(text) => {
            if let (Some(asset), "at_least" | "amount") = (asset, name)
                && let Some(amount) = amount(connection, program, asset, text)?
            {
                return Ok(amount);
            }
            match text.parse::<Uuid>() {
                Ok(id) => read::named(connection, program, id)?.map_or_else(|| text.clone(), |found| found.name),
                Err(_) => in_words(text),
            }
        }
        Value::Array(items) => {
            let items: Result<Vec<String>, _> =
                items.iter().map(|item| said(connection, program, name, item, asset)).collect();
            items?.join(", ")
        }
        Value::Object(members) => {
            let mut parts = Vec::new();
            for (key, value) in members {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                parts.push(match key.parse::<Uuid>() {
                    Ok(id) => amount(connection, program, id, &text)?.unwrap_or(text),
                    Err(_) => format!("{key}: {text}"),
                });
            }
            parts.join(", ")
        }
        other => other.to_string(),
    })
}

/// Base units of an asset as people write them; none for what is no amount or no asset here.
fn amount(connection: &Connection, program: Uuid, asset: Uuid, units: &str) -> Result<Option<String>, ReplicaError> {
    let Some((symbol, decimals)) = read::asset(connection, program, asset)? else { return Ok(None) };
    let (Ok(units), Ok(decimals)) = (units.parse::<SignedAmount>(), Decimals::try_from(decimals)) else {
        return Ok(None);
    };
    Ok(Some(format!("{} {symbol}", grouped(&units.to_decimal(decimals)))))
}

/// Addresses carry their checksum; everything else stays as it was signed.
fn in_words(text: &str) -> String {
    if text.len() == 42 && text.starts_with("0x") {
        return text.parse::<Address>().map_or_else(|_| text.to_owned(), checksummed);
    }
    text.to_owned()
}

/// What the book and the lists say of the address that a change names.
fn warnings(
    connection: &Connection,
    program: Uuid,
    members: &serde_json::Map<String, Value>,
    about: Option<Uuid>,
) -> Result<Vec<String>, ReplicaError> {
    let named = ["address", "wallet"].iter().find_map(|name| members.get(*name)?.as_str()?.parse::<Address>().ok());
    // A Safe's address is no payee's: its own screen compares it with the chain.
    let Some(address) = named.filter(|_| !members.contains_key("owners")) else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for entry in read::sanctions_on(connection, program, address.as_slice())? {
        out.push(format!(
            "The list {} names this address ({}): nobody can be paid there",
            entry.list,
            plain(&entry.name)
        ));
    }
    for entry in read::book(connection, program)? {
        let Ok(other) = Address::try_from(entry.address.as_slice()) else { continue };
        if other == address && about == Some(entry.id) && entry.is_newest {
            out.push(format!("{} has this address already", plain(&entry.name)));
        } else if other == address && about == Some(entry.id) {
            out.push(format!("{} had this address before and gave it up", plain(&entry.name)));
        } else if other == address {
            out.push(format!("The book has this address under {} too: it cools down", plain(&entry.name)));
        } else if is_alike(other, address) && about == Some(entry.id) {
            out.push(format!(
                "It begins or ends like {}, which {} has or had, and is another one: compare every digit",
                checksummed(other),
                plain(&entry.name)
            ));
        } else if is_alike(other, address) {
            out.push(format!(
                "It begins or ends like {} of {} and is another one: compare every digit",
                checksummed(other),
                plain(&entry.name)
            ));
        }
    }
    Ok(out)
}

/// A kind of change as the title of a dialog says it.
pub(crate) fn act(kind: &str) -> &str {
    match kind {
        "payee.add" => "Add the payee",
        "payee.address" => "Change the address of",
        "payee_cooling.set" => "Change how long addresses cool down",
        "affiliate.add" => "Add the affiliate",
        "affiliate.set" => "Change the terms of",
        "staff.add" => "Add to the staff",
        "staff.revoke" => "Remove from the staff",
        "machine.add" => "Add the machine login",
        "machine.revoke" => "Revoke the machine login",
        "identity_key.add" => "Register the identity key of",
        "grant.add" => "Give a role to",
        "grant.revoke" => "Take the role from",
        "program.add" => "Add the program",
        "program_status.set" => "Change the status of the program",
        "chain.add" => "Add the chain",
        "asset.add" => "Add the asset",
        "safe.add" => "Add the Safe",
        "policy.set" => "Set the policy of",
        "policy_default.set" => "Set the default policy of",
        "rule.set" => "Put a commission rule in force",
        "opening_balance.add" => "Book the opening balance of",
        "freeze.lift" => "Lift the freeze of",
        "settlements.reverse" => "Take settlements back",
        "sanctions.replace" => "Let a sanctions list replace its earlier versions",
        other => other,
    }
}

/// A change as the lines of a dialog: nothing in a row moves or hides what stands beside it.
pub(crate) fn as_lines(told: &Told) -> String {
    let mut out = format!("{} {}", act(&told.kind), plain(&told.subject));
    for field in &told.fields {
        out.push_str(&format!("\n{}\n{}", field.name.replace('_', " "), whole(&field.value)));
        if let Some(was) = &field.was {
            out.push_str(&format!("\nuntil now\n{}", whole(was)));
        }
    }
    for warning in &told.warnings {
        out.push_str(&format!("\n\u{26a0} {warning}"));
    }
    out
}

/// A value that is signed is shown to its last character, however long it is: quoted lines of 80.
fn whole(value: &str) -> String {
    if is_address(value) {
        return value.to_owned();
    }
    let letters: Vec<char> = value.chars().collect();
    let lines: Vec<String> = letters.chunks(PLAIN_CHARS).map(|line| plain(&line.iter().collect::<String>())).collect();
    if lines.is_empty() { plain("") } else { lines.join("\n") }
}

fn is_address(text: &str) -> bool {
    text.len() == 42 && text.parse::<Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_shows_a_value_to_its_last_character() {
        let owners = "0x1111111111111111111111111111111111111111, 0x2222222222222222222222222222222222222222, 0xBAD";
        let told = Told {
            kind: "safe.add".into(),
            subject: "Treasury".into(),
            fields: vec![ChangeField { name: "owners".into(), value: owners.into(), was: None }],
            warnings: Vec::new(),
        };
        let said = as_lines(&told);
        assert_eq!(said.lines().skip(2).map(|l| l.trim_matches(['\u{201c}', '\u{201d}'])).collect::<String>(), owners);
        assert!(said.lines().all(|line| line.chars().count() <= 82) && !said.contains("(cut)"), "{said}");
        let long = plain(&"x".repeat(81));
        assert!(long.ends_with("\u{201d}\u{2026} (cut)"), "{long}");
    }
}
