//! Merkle trees, drawn: a block's whole tree, and the path of one proof.

use askama::Template;
use ledger::merkle::{leaf_hash, node_hash};
use ledger::{Digest, merkle};

use super::parts::short;
use crate::design::Html;
use crate::visit::Visit;
use crate::words::fill;

/// Up to so many leaves a tree is drawn whole; above, from its root down as far as there is room.
const DRAWN_WHOLE_MAX: usize = 16;
const COLUMN: usize = 92;
const ROW: usize = 74;
const BOX: (usize, usize) = (80, 38);

/// A box of a drawing.
struct Node {
    x: usize,
    y: usize,
    /// The hash's first characters.
    text: String,
    /// What is below the hash: a leaf's number, or how many leaves are folded into it.
    below: String,
    path: String,
    class: &'static str,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="explorer-tree" tabindex="0" role="region" aria-label="{{ label }}"><svg viewBox="0 0 {{ width }} {{ height }}" width="{{ width }}" height="{{ height }}" {% if linked %}role="group"{% else %}role="img" aria-label="{{ label }}"{% endif %} focusable="false">{% for (x1, y1, x2, y2) in lines %}<path class="tree-line" d="M{{ x1 }} {{ y1 }}V{{ (y1 + y2) / 2 }}H{{ x2 }}V{{ y2 }}"/>{% endfor %}{% for node in nodes %}<g class="tree-node {{ node.class }}">{% if !node.path.is_empty() %}<a href="{{ node.path }}" aria-label="{{ node.text }} {{ node.below }}">{% endif %}<rect x="{{ node.x }}" y="{{ node.y }}" width="80" height="38" rx="5"/><text x="{{ node.x + 40 }}" y="{{ node.y + 16 }}">{{ node.text }}</text><text class="tree-below" x="{{ node.x + 40 }}" y="{{ node.y + 31 }}">{{ node.below }}</text>{% if !node.path.is_empty() %}</a>{% endif %}</g>{% endfor %}</svg></div>"#
)]
struct Drawing<'a> {
    label: &'a str,
    linked: bool,
    width: usize,
    height: usize,
    lines: &'a [(usize, usize, usize, usize)],
    nodes: &'a [Node],
}

/// All levels of a tree, the leaves' hashes first; an unpaired last node is carried up unchanged.
fn levels(leaves: &[Digest]) -> Vec<Vec<Digest>> {
    let mut level: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(&leaf.0)).collect();
    let mut levels = Vec::new();
    while level.len() > 1 {
        let above = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                carried => carried[0],
            })
            .collect();
        levels.push(std::mem::replace(&mut level, above));
    }
    levels.push(level);
    levels
}

/// A block's tree; `paths` are where the leaves lead.
pub(super) fn whole(visit: &Visit, leaves: &[Digest], paths: &[String]) -> Html {
    let words = visit.explorer_words();
    if leaves.is_empty() {
        return crate::design::text::paragraph(words.no_tree);
    }
    let levels = levels(leaves);
    let lowest = levels
        .iter()
        .position(|level| level.len() <= DRAWN_WHOLE_MAX)
        .unwrap_or_default();
    let drawn = &levels[lowest..];
    let width = drawn[0].len() * COLUMN;
    let mut nodes = Vec::new();
    let mut lines = Vec::new();
    // Middles of the boxes of the level below.
    let mut middles: Vec<usize> = (0..drawn[0].len())
        .map(|place| place * COLUMN + COLUMN / 2)
        .collect();
    for (step, level) in drawn.iter().enumerate() {
        let y = (drawn.len() - 1 - step) * ROW + 4;
        if step > 0 {
            let below = middles;
            middles = below
                .chunks(2)
                .map(|pair| pair.iter().sum::<usize>() / pair.len())
                .collect();
            for (place, middle) in middles.iter().enumerate() {
                for child in below.iter().skip(2 * place).take(2) {
                    lines.push((*middle, y + BOX.1, *child, y + ROW));
                }
            }
        }
        for (place, hash) in level.iter().enumerate() {
            let leaf = lowest == 0 && step == 0;
            let covers = covered(place, lowest + step, leaves.len());
            nodes.push(Node {
                x: middles[place] - BOX.0 / 2,
                y,
                text: hash.to_string()[..8].to_owned(),
                below: match (leaf, step) {
                    (true, _) => format!("#{place}"),
                    (false, 0) => {
                        fill(words.tree_folded, &[("count", &visit.count(covers as u64))])
                    }
                    _ => String::new(),
                },
                path: paths
                    .get(place)
                    .filter(|_| leaf)
                    .cloned()
                    .unwrap_or_default(),
                class: match (leaf, step + 1 == drawn.len()) {
                    (_, true) => "tree-root",
                    (true, false) => "tree-leaf",
                    _ => "",
                },
            });
        }
    }
    let root = short(&merkle::root(leaves).to_string());
    let count = visit.count(leaves.len() as u64);
    let label = fill(words.tree_label, &[("count", &count), ("root", &root)]);
    Html::of(&Drawing {
        label: &label,
        linked: !paths.is_empty(),
        width,
        height: drawn.len() * ROW - ROW + BOX.1 + 8,
        lines: &lines,
        nodes: &nodes,
    })
}

/// How many of `count` leaves the node at a place of a level covers.
fn covered(place: usize, level: usize, count: usize) -> usize {
    let (from, until) = (place << level, (place + 1) << level);
    until.min(count).saturating_sub(from)
}

/// One step of a proof, from the bottom up: the hash that is computed, its neighbour, and on which side that is.
struct Step {
    computed: Digest,
    neighbour: Option<Digest>,
    neighbour_is_left: bool,
}

fn steps(leaf: &Digest, index: u64, size: u64, proof: &[Digest]) -> Vec<Step> {
    let (mut position, mut last) = (index, size.saturating_sub(1));
    let mut hash = leaf_hash(&leaf.0);
    let mut steps = Vec::new();
    for neighbour in proof {
        let is_left = position % 2 == 1 || position == last;
        steps.push(Step {
            computed: hash,
            neighbour: Some(*neighbour),
            neighbour_is_left: is_left,
        });
        if is_left {
            hash = node_hash(neighbour, &hash);
            while position % 2 == 0 && position != 0 {
                (position, last) = (position / 2, last / 2);
            }
        } else {
            hash = node_hash(&hash, neighbour);
        }
        (position, last) = (position / 2, last / 2);
    }
    steps.push(Step {
        computed: hash,
        neighbour: None,
        neighbour_is_left: false,
    });
    steps
}

/// The path of an inclusion proof (RFC 9162, 2.1.3.2), root at the top.
pub(super) fn path(visit: &Visit, leaf: &Digest, index: u64, size: u64, proof: &[Digest]) -> Html {
    const MIDDLE: usize = 140;
    const APART: usize = 60;
    let words = visit.explorer_words();
    let steps = steps(leaf, index, size, proof);
    let mut nodes = Vec::new();
    let mut lines = Vec::new();
    // Where the hash of the step above stands: each turns towards its neighbour's other side.
    for (level, step) in steps.iter().enumerate() {
        let y = (steps.len() - 1 - level) * ROW + 4;
        let middle = match (step.neighbour, step.neighbour_is_left) {
            (None, _) => MIDDLE,
            (Some(_), true) => MIDDLE + APART,
            (Some(_), false) => MIDDLE - APART,
        };
        let above = steps.get(level + 1).map(|next| match next.neighbour {
            None => MIDDLE,
            Some(_) if next.neighbour_is_left => MIDDLE + APART,
            Some(_) => MIDDLE - APART,
        });
        let mut put = |middle: usize, hash: &Digest, below: String, class| {
            nodes.push(Node {
                x: middle - BOX.0 / 2,
                y,
                text: hash.to_string()[..8].to_owned(),
                below,
                path: String::new(),
                class,
            });
            if let Some(above) = above {
                lines.push((above, y - ROW + BOX.1, middle, y));
            }
        };
        let class = match (level, step.neighbour) {
            (_, None) => "tree-root",
            (0, _) => "tree-leaf",
            _ => "tree-computed",
        };
        let below = if level == 0 {
            format!("#{index}")
        } else {
            String::new()
        };
        put(middle, &step.computed, below, class);
        if let Some(neighbour) = &step.neighbour {
            put(2 * MIDDLE - middle, neighbour, String::new(), "");
        }
    }
    let label = fill(
        words.proof_label,
        &[("index", &index.to_string()), ("count", &size.to_string())],
    );
    Html::of(&Drawing {
        label: &label,
        linked: false,
        width: 2 * MIDDLE,
        height: steps.len() * ROW - ROW + BOX.1 + 8,
        lines: &lines,
        nodes: &nodes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Digest> {
        (0..count).map(|number| Digest([number; 32])).collect()
    }

    #[test]
    fn the_top_of_what_is_drawn_is_the_root_of_the_ledgers_own_tree() {
        for count in 1..40 {
            let leaves = leaves(count);
            let levels = levels(&leaves);
            assert_eq!(levels.last().unwrap(), &[merkle::root(&leaves)]);
        }
    }

    #[test]
    fn the_last_step_of_a_drawn_proof_is_the_root() {
        for count in 1..20 {
            let leaves = leaves(count);
            for index in 0..u64::from(count) {
                let proof = merkle::inclusion_proof(&leaves, index).unwrap();
                let steps = steps(&leaves[index as usize], index, u64::from(count), &proof);
                assert_eq!(steps.last().unwrap().computed, merkle::root(&leaves));
                assert_eq!(steps.len(), proof.len() + 1);
            }
        }
    }

    #[test]
    fn folded_nodes_cover_all_leaves_once() {
        let covers: usize = (0..7).map(|place| covered(place, 3, 50)).sum();
        assert_eq!(covers, 50);
        assert_eq!(covered(6, 3, 50), 2);
    }
}
