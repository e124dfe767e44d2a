//! What a measurement says: one line for machines, a few for people, one row of the table of all.

use serde::Serialize;

use super::measure::Conditions;

/// The result of one subject.
pub struct Report {
    /// The subject's name.
    pub subject: &'static str,
    /// For the table: what, and the figure.
    pub rows: Vec<(String, String)>,
    /// Under which conditions.
    pub conditions: Conditions,
    /// Everything, for machines.
    pub json: serde_json::Value,
}

impl Report {
    /// A report whose machine form is `figures` with the conditions beside them.
    pub fn new(
        subject: &'static str,
        rows: Vec<(String, String)>,
        conditions: Conditions,
        figures: &impl Serialize,
    ) -> anyhow::Result<Report> {
        let json = serde_json::json!({
            "subject": subject,
            "figures": serde_json::to_value(figures)?,
            "conditions": serde_json::to_value(&conditions)?,
        });
        Ok(Report {
            subject,
            rows,
            conditions,
            json,
        })
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let width = self.rows.iter().map(|(what, _)| what.len()).max();
        let width = width.unwrap_or_default();
        let mut lines = vec![format!("{}: {}", self.subject, self.conditions.text())];
        for (what, figure) in &self.rows {
            lines.push(format!("  {what:<width$}  {figure}"));
        }
        lines.join("\n")
    }
}
