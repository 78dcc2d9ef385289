/// What the built-in model learned from, how well it does and what it is not good for:
/// `model/CARD.md`, which is written by whoever trains the model.
package enum ModelCard {
    /// Markdown of headings, paragraphs, lists and tables.
    package static var text: String { String(decoding: PackageResources.CARD_md, as: UTF8.self) }
}
