//! A table for a terminal: the first column to the left, figures to the right.

/// Rows of cells; the first row is the heading.
pub(crate) fn render(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
    lines.insert(lines.len().min(1), rule);
    lines.join("\n") + "\n"
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    (0..columns).map(|column| width(column).unwrap_or(0)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cell = |(column, (text, &width)): (usize, (&String, &usize))| {
        if column == 0 { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let cells: Vec<String> = row.iter().zip(widths).enumerate().map(cell).collect();
    cells.join("  ").trim_end().to_string()
}

/// One row from anything that can be text.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.into_iter().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = render(&[row(["link", "run"]), row(["first", "1,015"]), row(["é", "0"])]);
        assert_eq!(text, "link     run\n------------\nfirst  1,015\né          0\n");
    }
}
