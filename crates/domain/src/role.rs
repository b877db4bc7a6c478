//! Roles, and which permission a two-person change takes: as the database has them (a test compares the two). Clients verify
//! with these, never with rows, so that nobody who holds the database can widen a role.

/// Who may do what, by role.
pub const ROLES: [(&str, &[&str]); 7] = [
    ("viewer", &["view"]),
    ("operator", &["view", "create_batch", "edit_batch", "submit_batch", "export"]),
    (
        "processor",
        &[
            "view",
            "create_batch",
            "edit_batch",
            "submit_batch",
            "export",
            "operate",
            "execute",
            "resolve_discrepancy",
            "manage_payees",
        ],
    ),
    (
        "manager",
        &["view", "export", "operate", "execute", "resolve_discrepancy", "manage_payees", "approve", "view_audit"],
    ),
    (
        "admin",
        &[
            "view",
            "export",
            "operate",
            "execute",
            "resolve_discrepancy",
            "manage_payees",
            "approve",
            "view_audit",
            "approve_high_value",
            "manage_rules",
            "close_period",
        ],
    ),
    ("super_admin", &["view", "export", "operate", "view_audit", "manage_rules", "manage_staff"]),
    ("accountant", &["view", "export", "view_audit", "close_period"]),
];

/// Whether a role has a permission; an unknown role has none.
#[must_use]
pub fn role_has(role: &str, permission: &str) -> bool {
    ROLES.iter().any(|(name, permissions)| *name == role && permissions.contains(&permission))
}

/// Permission that proposing and confirming a kind of change takes; none for a kind that this program does not know.
#[must_use]
pub fn permission_of_change(kind: &str) -> Option<&'static str> {
    match kind {
        "program.add"
        | "chain.add"
        | "asset.add"
        | "safe.add"
        | "policy.set"
        | "policy_default.set"
        | "rule.set"
        | "opening_balance.add"
        | "payee_cooling.set"
        | "program_status.set"
        | "sanctions.replace" => Some("manage_rules"),
        "staff.add" | "staff.revoke" | "machine.add" | "machine.revoke" | "identity_key.add" | "grant.add"
        | "grant.revoke" => Some("manage_staff"),
        "affiliate.add" | "affiliate.set" | "payee.add" | "payee.address" => Some("manage_payees"),
        "freeze.lift" | "settlements.reverse" => Some("operate"),
        _ => None,
    }
}

/// Policies that an asset pegged to a currency begins with, until two people set others: currency, whole units from which
/// on it holds, approvers, and whether one of them holds `approve_high_value`.
pub const POLICY_DEFAULTS: [(&str, u64, u32, bool); 5] = [
    ("USD", 0, 1, false),
    ("USD", 10_000, 2, true),
    ("EUR", 0, 1, false),
    ("EUR", 10_000, 2, false),
    ("EUR", 50_000, 2, true),
];
