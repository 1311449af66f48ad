//! Writes a regular archive in GNU format. It has no symbol table: lld reads the members themselves.

/// The archive of these members, in order: name and content.
#[must_use]
pub fn regular(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    let (table, fields) = name_table(members);
    if !table.is_empty() {
        add(&mut archive, "//", &table);
    }
    for ((_, content), field) in members.iter().zip(&fields) {
        add(&mut archive, field, content);
    }
    archive
}

/// The table of long names, and each member's name field: `name/`, or `/offset` into the table.
fn name_table(members: &[(&str, &[u8])]) -> (Vec<u8>, Vec<String>) {
    let mut table = Vec::new();
    let fields = members
        .iter()
        .map(|(name, _)| {
            if name.len() < 16 && !name.contains('/') {
                return format!("{name}/");
            }
            let field = format!("/{}", table.len());
            table.extend_from_slice(name.as_bytes());
            table.extend_from_slice(b"/\n");
            field
        })
        .collect();
    (table, fields)
}

fn add(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    // Name, date, owner, group, mode, size: all but the name and the size are the same for everybody.
    let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "644", content.len());
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(content);
    if content.len() % 2 == 1 {
        archive.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "a-name-of-more-than-fifteen-characters.o";
        let members: [(&str, &[u8]); 3] = [("a.o", b"odd"), (long, b"even"), ("b.o", b"")];
        let bytes = regular(&members);
        let parsed = archive::parse(&bytes).unwrap();
        let read: Vec<_> = parsed.members.iter().map(|member| (member.name, member.data.unwrap())).collect();
        assert_eq!(read, members);
    }
}
