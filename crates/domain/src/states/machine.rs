//! What every state machine has.

/// The facts of one state machine, as text: what the database and the screens are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The noun in the singular, `batch`.
    pub name: &'static str,
    /// The enum in Rust and TypeScript, `BatchState`.
    pub type_name: &'static str,
    /// The state in which every row begins.
    pub initial: &'static str,
    /// Every state, in the order of a normal life.
    pub states: &'static [&'static str],
    /// Every allowed change, from and to.
    pub transitions: &'static [(&'static str, &'static str)],
}

/// A change of state that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("This {} is {from} and cannot become {to}.", machine.replace('_', " "))]
pub struct TransitionError {
    /// The noun.
    pub machine: &'static str,
    /// The state it is in.
    pub from: &'static str,
    /// The state that was asked for.
    pub to: &'static str,
}

/// A text that is no state of its machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no state of a {machine}.")]
pub struct UnknownStateError {
    /// The noun.
    pub machine: &'static str,
    /// The text, cut to 60 characters.
    pub text: String,
}

/// Writes one machine: the enum, its texts and its transitions.
macro_rules! state_machine {
    (
        $(#[$doc:meta])*
        $machine:literal: $type:ident, from $initial:ident {
            $($(#[$state_doc:meta])* $state:ident = $text:literal => [$($next:ident),* $(,)?],)+
        }
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $type {
            $($(#[$state_doc])* #[serde(rename = $text)] $state,)+
        }

        impl $type {
            /// The state in which every row begins.
            pub const INITIAL: Self = Self::$initial;
            /// Every state, in the order of a normal life.
            pub const ALL: &'static [Self] = &[$(Self::$state),+];
            /// Every allowed change, from and to.
            pub const TRANSITIONS: &'static [(Self, Self)] =
                &[$($((Self::$state, Self::$next),)*)+];
            /// The same facts as text.
            pub const MACHINE: $crate::states::Machine = $crate::states::Machine {
                name: $machine,
                type_name: stringify!($type),
                initial: Self::$initial.as_str(),
                states: &[$($text),+],
                transitions: &[$($(($text, Self::$next.as_str()),)*)+],
            };

            /// The state as it stands in the database and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$state => $text,)+
                }
            }

            /// The states that may follow this one.
            #[must_use]
            pub const fn successors(self) -> &'static [Self] {
                match self {
                    $(Self::$state => &[$(Self::$next),*],)+
                }
            }

            /// Whether the table has this change.
            #[must_use]
            pub fn can_become(self, next: Self) -> bool {
                self.successors().contains(&next)
            }

            /// Makes the change.
            ///
            /// # Errors
            /// [`TransitionError`](crate::states::TransitionError) when the table does not
            /// have it.
            pub fn become_state(
                self,
                next: Self,
            ) -> Result<Self, $crate::states::TransitionError> {
                if self.can_become(next) {
                    return Ok(next);
                }
                Err($crate::states::TransitionError {
                    machine: $machine,
                    from: self.as_str(),
                    to: next.as_str(),
                })
            }

            /// Whether nothing follows this state.
            #[must_use]
            pub const fn is_final(self) -> bool {
                self.successors().is_empty()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::states::UnknownStateError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$state),)+
                    other => Err($crate::states::UnknownStateError {
                        machine: $machine,
                        text: other.chars().take(60).collect(),
                    }),
                }
            }
        }
    };
}

pub(super) use state_machine;
