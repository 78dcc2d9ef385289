import Appliance
import Backup
import HTTPTypes
import Hummingbird
import Relay
import Vocabulary

/// Where Stripe delivers to, `/settings/endpoints`, and copies elsewhere, `/settings/bridges`.
extension SettingsPages {
    struct Endpoints {
        struct Row {
            var label, path, mode, setting, variable: String
            var state: ShownState
        }

        var rows: [Row]
        var isEmpty: Bool
        var events: [String]
        var count: String
    }

    func endpoints(_ asked: PageRequest) -> Response {
        let found = pages.parts.sources.endpoints
        let events = SubscribedEvents.names
        let view = Endpoints(
            rows: found.map(Self.row), isEmpty: found.isEmpty, events: events,
            count: ShownNumber.count(Int64(events.count), "event"))
        return respond("settingsEndpoints", .endpoints, asked, view)
    }

    private static func row(_ endpoint: WebhookEndpoint) -> Endpoints.Row {
        let isNamed = !endpoint.name.isEmpty
        let name = ShownText.escaped(endpoint.name)
        let mode =
            switch endpoint.livemode {
            case .live: "live events"
            case .test: "test events"
            case .any: "live and test events"
            }
        let key = isNamed ? "webhook.endpoint.\(name).secret" : "webhook.secret"
        let count = endpoint.secrets.count
        // Two are for a rotation alone.
        let state =
            switch count {
            case 0: ShownState("No secret: all is refused", "stop", tinted: true)
            case 1: ShownState("1 secret")
            default: ShownState("\(count) secrets, being rotated", "wait")
            }
        return Endpoints.Row(
            label: isNamed ? name : "default",
            path: "/webhooks/stripe" + (isNamed ? "/\(name)" : ""), mode: mode, setting: key,
            variable: "TILLBOX_"
                + key.uppercased().replacing(".", with: "_").replacing("-", with: "_"),
            state: state)
    }

    // MARK: Bridges

    struct Bridges {
        struct Row {
            var name, path, lag, rate, last, act, button: String
            var state: ShownState
            var trouble: String
        }

        struct Former { var name, lag: String }

        var rows: [Row]
        var isEmpty: Bool
        var former: [Former]
        var hasFormer: Bool
    }

    func addBridges(to routes: inout AdminRoutes) {
        pages.page(&routes, .get, "/settings/bridges", .viewer) { bridges($0, Told()) }
        pages.page(&routes, .post, "/settings/bridges/:name", .admin) { asked in
            try await attempt({ bridges(asked, $0) }) {
                try change(asked)
                return ConsolePages.sent(to: "/settings/bridges")
            }
        }
    }

    private func bridges(_ asked: PageRequest, _ told: Told) -> Response {
        let board = pages.parts.bridges
        let reports = board?.reports() ?? []
        let former = (board?.former?.current ?? []).map {
            Bridges.Former(name: $0.name.rawValue, lag: ShownNumber.count($0.lag, "record"))
        }
        let view = Bridges(
            rows: reports.map(Self.row), isEmpty: reports.isEmpty, former: former,
            hasFormer: !former.isEmpty)
        return respond("settingsBridges", .bridges, asked, view, told)
    }

    private static func row(_ report: BridgeReport) -> Bridges.Row {
        let name = report.name.rawValue
        var row = Bridges.Row(
            name: name, path: "/settings/bridges/\(name)",
            lag: ShownAmount.grouped(report.lag),
            rate: ShownRate.words(report.rate),
            last: report.lastDelivery.map { ShownMoment($0).words } ?? "none since the start",
            act: "pause", button: "Pause", state: ShownState("Running"),
            trouble: report.warning.map(ShownText.escaped) ?? "")
        switch report.state {
        case .starting: row.state = ShownState("Starting")
        case .running where report.warning == nil: break
        case .running: row.state = ShownState("Waits for its target", "wait")
        case .backingOff, .circuitOpen: row.state = ShownState("Tries again", "wait")
        case .stopped:
            row.state = ShownState("Stopped", "stop", tinted: true)
            (row.act, row.button) = ("resume", "Try again")
        case .paused(let pause):
            row.state = ShownState("Paused", "wait")
            row.trouble =
                "by \(ShownText.escaped(pause.by)) on \(ShownMoment(pause.at).words); a restart "
                + "does not undo it"
            (row.act, row.button) = ("resume", "Resume")
        }
        return row
    }

    /// Durable when it returns.
    private func change(_ asked: PageRequest) throws {
        let name = asked.context.word("name")
        guard let bridge = pages.parts.bridges?[name] else {
            throw Problem(
                .notFound, "there is no bridge \(ShownText.escaped(String(name.prefix(80))))")
        }
        guard let act = asked.form?["act"], ["pause", "resume"].contains(act) else {
            throw Problem(.badRequest, "a bridge can be paused and resumed")
        }
        let by = asked.context.caller?.name ?? "unknown"
        do throws(RelayFailure) {
            if act == "pause" { try bridge.pause(by: by) } else { try bridge.resume(by: by) }
        } catch {
            switch error {
            case .permanent(let sentence), .passing(let sentence):
                throw Problem(.internalServerError, sentence)
            }
        }
    }
}

/// What there is of backups, `/settings/backups`.
struct SettingsBackups {
    struct Last {
        var moment: ShownMoment
        var folder, name: String
        var isEncrypted: Bool
    }

    /// nil where none is known.
    var last: Last?
    /// When one is made by itself: `every night at 03:30 UTC, into /mnt/backup`; nil for never.
    var schedule: String?

    init(_ backups: SettingsParts.Backups) {
        last = backups.last().map {
            Last(
                moment: ShownMoment($0.moment), folder: ShownText.escaped($0.folder),
                name: ShownText.escaped($0.name), isEncrypted: $0.isEncrypted)
        }
        guard let folder = backups.folder, let minute = backups.minute else { return }
        let parts = [minute / 60, minute % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        schedule = "every night at \(parts.joined(separator: ":")) UTC, into "
            + ShownText.escaped(folder) + (backups.isEncrypted ? ", encrypted" : "")
    }
}

/// Who did what: `/settings/audit?who&what&before`.
extension SettingsPages {
    struct Audit {
        struct Row {
            var seq: String
            var moment: ShownMoment
            var who, what, place, detail, hash: String
        }

        var who, what: String
        var isFiltered: Bool
        var rows: [Row]
        var isEmpty: Bool
        var isSound: Bool
        var chain: String
        var earlier: String?
    }

    private static let entriesMax = 50

    func audit(_ asked: PageRequest) async throws -> Response {
        try asked.request.checkParameters(["who", "what", "before"])
        let (who, what) = (asked.query("who") ?? "", asked.query("what") ?? "")
        var before: Int64?
        if let text = asked.query("before") {
            guard let number = QueryNumber.row(text) else {
                throw Problem(.badRequest, "before must be an entry's number")
            }
            before = number
        }
        let (entries, chain) = try await desk.run { [before] store in
            let found = Result { () throws -> Int in try store.verifyAudit() }
            return (
                try store.auditEntries(
                    before: before, limit: Self.entriesMax, who: who, what: what),
                found
            )
        }
        let filter = "&who=\(PathText.escaped(who))&what=\(PathText.escaped(what))"
        var view = Audit(
            who: ShownText.escaped(who), what: ShownText.escaped(what),
            isFiltered: !who.isEmpty || !what.isEmpty, rows: entries.map(Self.row),
            isEmpty: entries.isEmpty, isSound: false, chain: "")
        if entries.count == Self.entriesMax, let last = entries.last {
            view.earlier = "/settings/audit?before=\(last.seq)\(filter)"
        }
        switch chain {
        case .success(let count):
            view.isSound = true
            view.chain = "The chain of \(ShownNumber.count(Int64(count), "entry", "entries")) "
                + "was followed now, and holds."
        case .failure(let fault as AuditBreak): view.chain = fault.description
        case .failure(let error): throw error
        }
        return respond("settingsAudit", .audit, asked, view)
    }

    private static func row(_ entry: AuditEntry) -> Audit.Row {
        Audit.Row(
            seq: ShownAmount.grouped(entry.seq), moment: ShownMoment(milliseconds: entry.at),
            who: ShownText.escaped(entry.who), what: ShownText.escaped(entry.what),
            place: ShownText.escaped(entry.place), detail: ShownText.escaped(entry.detail),
            hash: String(String(hex: entry.hash).prefix(16)))
    }
}
