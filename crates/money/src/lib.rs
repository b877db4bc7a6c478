//! Exact amounts, assets, rates and named rounding; no IO.
