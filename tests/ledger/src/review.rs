//! What is on the device's screen while a person decides, and where its buttons lead.

pub use signing::ledger::pages::Press;

/// A page that was on the screen, and what was pressed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Screen {
    /// From top to bottom.
    pub lines: Vec<String>,
    /// Nothing where the page goes by itself.
    pub press: Option<Press>,
}

/// A page, and what follows from each button.
enum Step {
    /// Right goes on.
    Show(Vec<String>),
    /// Both go on, right leads to a page where both refuse.
    Warn { lines: Vec<String>, no: Vec<String> },
    /// Both agree, right leads to a page where both refuse.
    Ask { yes: Vec<String>, no: Vec<String> },
}

/// Pages with a question at the end.
pub struct Review {
    steps: Vec<Step>,
    done: Vec<String>,
    refused: Vec<String>,
    answer: Vec<u8>,
    at: usize,
    refusing: bool,
    ended: Option<bool>,
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

impl Review {
    /// `pages` to look at, then `yes` or `no`; `answer` is sent when the person agrees.
    pub(crate) fn new(
        pages: impl IntoIterator<Item = Vec<String>>,
        [yes, no]: [&str; 2],
        done: &[&str],
        refused: &[&str],
        answer: Vec<u8>,
    ) -> Self {
        let ask = Step::Ask { yes: lines(&[yes]), no: lines(&[no]) };
        let steps = pages.into_iter().map(Step::Show).chain([ask]).collect();
        let (done, refused) = (lines(done), lines(refused));
        Self { steps, done, refused, answer, at: 0, refusing: false, ended: None }
    }

    /// With the warning of blind signing before everything.
    pub(crate) fn with_warning(mut self) -> Self {
        let warning = lines(&["Blind signing ahead", "To accept risk, press ", "both buttons"]);
        self.steps.insert(0, Step::Warn { lines: warning, no: lines(&["Reject transaction"]) });
        self
    }

    /// With another text where the person agrees.
    pub(crate) fn asking(mut self, text: &[&str]) -> Self {
        if let Some(Step::Ask { yes, .. }) = self.steps.last_mut() {
            *yes = lines(text);
        }
        self
    }

    /// What is on the screen; nothing once it has ended.
    pub fn page(&self) -> Option<&[String]> {
        if self.ended.is_some() {
            return None;
        }
        self.steps.get(self.at).map(|step| match step {
            Step::Show(lines) => lines.as_slice(),
            Step::Warn { lines: yes, no } | Step::Ask { yes, no } => {
                if self.refusing {
                    no
                } else {
                    yes
                }
            }
        })
    }

    /// Buttons that do nothing on a page leave it as it is.
    pub fn press(&mut self, press: Press) {
        match (self.steps.get(self.at), self.refusing, press) {
            (Some(Step::Show(_)), _, Press::Right) | (Some(Step::Warn { .. }), false, Press::Both) => self.at += 1,
            (Some(Step::Warn { .. } | Step::Ask { .. }), false, Press::Right) => self.refusing = true,
            (Some(Step::Ask { .. }), false, Press::Both) => self.ended = Some(true),
            (Some(Step::Warn { .. } | Step::Ask { .. }), true, Press::Both) => self.ended = Some(false),
            _ => {}
        }
    }

    /// Whether the person agreed, once that is known.
    pub fn ended(&self) -> Option<bool> {
        self.ended
    }

    /// What is shown after the end: the outcome, then the app's own page.
    pub fn outcome(&self) -> Vec<Vec<String>> {
        let outcome = if self.ended == Some(true) { &self.done } else { &self.refused };
        vec![outcome.clone(), lines(&["Ethereum", "app is ready"])]
    }

    /// What is answered when the person agrees.
    pub fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// Another answer to the same pages: a device that shows one thing and signs another.
    pub fn answer_instead(&mut self, answer: Vec<u8>) {
        self.answer = answer;
    }
}
