//! What a superuser of the database forges, and that a person's own machine refuses it and names it (law 4).

mod books;
mod commissions;
mod rows;
mod support;
