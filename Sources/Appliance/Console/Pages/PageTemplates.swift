import Mustache

/// The pages' templates, parsed once. What stands between two braces is escaped for HTML.
enum PageTemplates {
    private static let sources: [(name: String, bytes: [UInt8])] = [
        ("layout", PackageResources.layout_mustache), ("door", PackageResources.door_mustache),
        ("sheet", PackageResources.sheet_mustache), ("mark", PackageResources.mark_mustache),
        ("stop", PackageResources.stop_mustache), ("tick", PackageResources.tick_mustache),
        ("amount", PackageResources.amount_mustache),
        ("link", PackageResources.link_mustache),
        ("figure", PackageResources.figure_mustache),
        ("state", PackageResources.state_mustache),
        ("moment", PackageResources.moment_mustache),
        ("login", PackageResources.login_mustache), ("setup", PackageResources.setup_mustache),
        ("problem", PackageResources.problem_mustache),
        ("topology", PackageResources.topology_mustache),
        ("overview", PackageResources.overview_mustache),
        ("payments", PackageResources.payments_mustache),
        ("payment", PackageResources.payment_mustache),
        ("review", PackageResources.review_mustache),
        ("reasons", PackageResources.reasons_mustache),
        ("caseSheet", PackageResources.caseSheet_mustache),
        ("trail", PackageResources.trail_mustache),
        ("ledger", PackageResources.ledger_mustache),
        ("account", PackageResources.account_mustache),
        ("explain", PackageResources.explain_mustache),
        ("waiting", PackageResources.waiting_mustache),
        ("log", PackageResources.log_mustache), ("records", PackageResources.records_mustache),
        ("letters", PackageResources.letters_mustache),
        ("send", PackageResources.send_mustache), ("sent", PackageResources.sent_mustache),
    ]

    /// The names, for who renders each of them.
    static var names: [String] { sources.map(\.name) }

    private static let library: MustacheLibrary = {
        var templates: [String: MustacheTemplate] = [:]
        for (name, bytes) in sources {
            var text = String(decoding: bytes, as: UTF8.self)
            // The last line's end would stand within the line that a part is put into.
            if text.hasSuffix("\n") { text.removeLast() }
            do {
                templates[name] = try MustacheTemplate(string: text)
            } catch {
                preconditionFailure("template \(name): \(error)")
            }
        }
        return MustacheLibrary(templates: templates)
    }()

    /// - Parameter view: what the template's names mean.
    static func render(_ name: String, _ view: Any) -> String {
        guard let text = library.render(view, withTemplate: name) else {
            preconditionFailure("no template \(name)")
        }
        return text
    }
}

/// What a template is shown: the frame around every page, and the page itself.
struct PageView<Page> {
    var shell: Shell
    var page: Page
}
