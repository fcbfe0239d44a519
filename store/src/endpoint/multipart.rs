//! `multipart/form-data` bodies: fields `query` and `param_*`, as clients send parameters too long for a URL.

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// Whether the field is a file: the data of an external table.
    pub(super) file: bool,
    pub(super) value: Vec<u8>,
}

/// The boundary in a `Content-Type` header.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = rest.split(';').find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    Some(value.trim_matches('"').to_owned()).filter(|boundary| !boundary.is_empty())
}

/// The fields of a body; none when it is cut off or not a form of this boundary.
pub(super) fn fields(body: &[u8], boundary: &str) -> Option<Vec<Field>> {
    let delimiter = format!("--{boundary}").into_bytes();
    let inner = [b"\r\n".as_slice(), &delimiter].concat();
    let mut rest = &body[find(body, &delimiter)? + delimiter.len()..];
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let end = head_end + 4 + find(&rest[head_end + 4..], &inner)?;
        let (name, file) = disposition(&rest[..head_end])?;
        fields.push(Field { name, file, value: rest[head_end + 4..end].to_vec() });
        rest = &rest[end + inner.len()..];
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn disposition(head: &[u8]) -> Option<(String, bool)> {
    let head = std::str::from_utf8(head).ok()?;
    let line =
        head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let attribute = |name: &str| {
        line.split(';').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
        })
    };
    Some((attribute("name")?, attribute("filename").is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_out_as_they_went_in() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {x:String}\r\n-- no\r\n--B\r\n\
            Content-Disposition: form-data; name=\"param_x\"\r\nContent-Type: text/plain\r\n\r\n\r\n--B\r\n\
            content-disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\n2\r\n--B--\r\n";
        let fields = fields(body.as_bytes(), "B").unwrap();
        let shown: Vec<_> = fields
            .iter()
            .map(|f| (f.name.as_str(), f.file, String::from_utf8_lossy(&f.value).into_owned()))
            .collect();
        assert_eq!(
            shown,
            [
                ("query", false, "SELECT {x:String}\r\n-- no".to_owned()),
                ("param_x", false, String::new()),
                ("t", true, "1\n2".to_owned()),
            ]
        );
        assert_eq!(boundary("multipart/form-data; boundary=\"B\""), Some("B".to_owned()));
        assert_eq!(boundary("text/plain; boundary=B"), None);
    }

    #[test]
    fn a_cut_form_is_none() {
        assert_eq!(fields(b"--B\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nSELECT", "B"), None);
        assert_eq!(fields(b"SELECT 1", "B"), None);
    }
}
