//! The engine's syntax tree, read from the text of `EXPLAIN AST`.
//!
//! Each line is a node, indented by its depth, with `(children n)` at its end if it has any. Names are printed as they
//! are, so a quoted name that holds a line end could forge lines; such names are refused before (see `rules`), and the
//! counts are checked against the indentation here.

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The line without indentation and count.
    pub(super) label: String,
    /// Index of the parent; the root is its own.
    pub(super) parent: usize,
    /// Position among the children of the parent.
    pub(super) position: usize,
    children: usize,
    expected: usize,
}

/// A syntax tree in the order of its lines.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Node {
    /// The first word: the class of the node.
    pub(super) fn class(&self) -> &str {
        self.label.split(' ').next().unwrap_or_default()
    }

    /// What follows the class, without a printed alias.
    pub(super) fn name(&self) -> &str {
        let rest = self.label.split_once(' ').map_or("", |(_, rest)| rest);
        match rest.rfind(" (alias ") {
            Some(at) if rest.ends_with(')') => &rest[..at],
            _ => rest,
        }
    }
}

impl Tree {
    /// Reads the text; none when indentation and counts contradict each other.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        // The open node of each depth.
        let mut path: Vec<usize> = Vec::new();
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            let depth = line.len() - line.trim_start_matches(' ').len();
            if depth > path.len() || (depth == 0 && !nodes.is_empty()) {
                return None;
            }
            path.truncate(depth);
            let (label, expected) = label_and_count(&line[depth..]);
            let index = nodes.len();
            let parent = path.last().copied().unwrap_or(index);
            let position = if parent == index { 0 } else { nodes[parent].children };
            if parent != index {
                nodes[parent].children += 1;
            }
            nodes.push(Node { label: label.to_owned(), parent, position, children: 0, expected });
            path.push(index);
        }
        let consistent = nodes.iter().all(|node| node.children == node.expected);
        (consistent && !nodes.is_empty()).then_some(Self { nodes })
    }

    /// The root.
    pub(super) fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// The children of a node.
    pub(super) fn children(&self, of: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(move |(index, node)| node.parent == of && *index != of)
    }

    /// The parent of a node.
    pub(super) fn parent(&self, of: usize) -> &Node {
        &self.nodes[self.nodes[of].parent]
    }
}

fn label_and_count(line: &str) -> (&str, usize) {
    if let Some((label, count)) = line.rsplit_once(" (children ")
        && let Some(count) = count.strip_suffix(')').and_then(|count| count.parse().ok())
    {
        return (label, count);
    }
    (line, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tree_with_its_parents() {
        let text = "SelectWithUnionQuery (children 1)\n ExpressionList (children 1)\n  SelectQuery (children 2)\n   \
            ExpressionList (children 1)\n    Asterisk\n   TablesInSelectQuery (children 1)\n    \
            TableIdentifier windvane.t (alias x)\n";
        let tree = Tree::parse(text).unwrap();
        let table = tree.nodes.last().unwrap();
        assert_eq!((table.class(), table.name()), ("TableIdentifier", "windvane.t"));
        assert_eq!(tree.nodes[table.parent].label, "TablesInSelectQuery");
        assert_eq!(tree.nodes[2].children, 2);
        assert_eq!(tree.children(2).count(), 2);
    }

    #[test]
    fn contradicting_lines_are_no_tree() {
        for text in ["", "A (children 2)\n B\n", "A\n B\n", "A (children 1)\n   B\n", "A\nB\n"] {
            assert!(Tree::parse(text).is_none(), "{text:?}");
        }
    }
}
