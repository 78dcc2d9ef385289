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
        ("letter", PackageResources.letter_mustache),
        ("record", PackageResources.record_mustache), ("tail", PackageResources.tail_mustache),
        ("sections", PackageResources.sections_mustache),
        ("linked", PackageResources.linked_mustache), ("chart", PackageResources.chart_mustache),
        ("period", PackageResources.period_mustache),
        ("reports", PackageResources.reports_mustache),
        ("report", PackageResources.report_mustache),
        ("decisions", PackageResources.decisions_mustache),
        ("bank", PackageResources.bank_mustache), ("month", PackageResources.month_mustache),
        ("runs", PackageResources.runs_mustache), ("run", PackageResources.run_mustache),
        ("transactions", PackageResources.transactions_mustache),
        ("transaction", PackageResources.transaction_mustache),
        ("statement", PackageResources.statement_mustache),
        ("verify", PackageResources.verify_mustache),
        ("export", PackageResources.export_mustache),
        ("settings", PackageResources.settings_mustache),
        ("settingsAudit", PackageResources.settingsAudit_mustache),
        ("settingsBackups", PackageResources.settingsBackups_mustache),
        ("settingsBridges", PackageResources.settingsBridges_mustache),
        ("settingsCard", PackageResources.settingsCard_mustache),
        ("settingsCodes", PackageResources.settingsCodes_mustache),
        ("settingsEndpoints", PackageResources.settingsEndpoints_mustache),
        ("settingsHead", PackageResources.settingsHead_mustache),
        ("settingsModel", PackageResources.settingsModel_mustache),
        ("settingsTokens", PackageResources.settingsTokens_mustache),
        ("settingsUser", PackageResources.settingsUser_mustache),
        ("settingsUsers", PackageResources.settingsUsers_mustache),
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
