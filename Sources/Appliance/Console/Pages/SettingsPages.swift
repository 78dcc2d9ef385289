package import Appliance
package import Backup
import HTTPTypes
import Hummingbird
import Vocabulary

/// How the daemon is set up, and who may come in.
///
/// | path | section | who |
/// | --- | --- | --- |
/// | `/settings`, `/settings/codes` | one's own password, one-time codes and sessions | viewer |
/// | `/settings/users`, `/settings/users/{name}` | who may sign in | admin |
/// | `/settings/tokens` | bearer tokens of programs | admin |
/// | `/settings/endpoints` | events to subscribe to, how secrets are rotated | viewer |
/// | `/settings/model`, `/settings/model/card` | the model, other thresholds tried out | viewer |
/// | `/settings/bridges` | copies in other systems, paused and resumed by an admin | viewer |
/// | `/settings/backups` | what there is, and what is not | viewer |
/// | `/settings/audit` | who did what, and whether the chain holds | admin |
///
/// No answer has a secret but a new token's, and a new secret of one-time codes, each once.
package struct SettingsPages: Sendable {
    let pages: ConsolePages
    let parts: SettingsParts

    var desk: AccessDesk { parts.desk }

    package init(pages: ConsolePages, parts: SettingsParts) {
        self.pages = pages
        self.parts = parts
    }

    package func add(to routes: inout AdminRoutes) {
        addAccount(to: &routes)
        addUsers(to: &routes)
        addTokens(to: &routes)
        if parts.model != nil {
            addModel(to: &routes)
            addBridges(to: &routes)
            pages.page(&routes, .get, "/settings/endpoints", .viewer) { endpoints($0) }
            pages.page(&routes, .get, "/settings/backups", .viewer) { asked in
                respond("settingsBackups", .backups, asked, SettingsBackups(parts.backups))
            }
        }
        pages.page(&routes, .get, "/settings/audit", .admin) { try await audit($0) }
        // Behind a first part that the router knows it does not come back to what fits all paths.
        routes.page(.get, "/settings/**", needs: nil, telling: pages.told) { request, _ in
            throw pages.parts.absent.problem(at: request.uri.path)
        }
    }

    // MARK: The frame

    enum Section: String, CaseIterable {
        case account, users, tokens, endpoints, model, bridges, backups, audit

        var path: String { self == .account ? "/settings" : "/settings/\(rawValue)" }

        var words: String {
            switch self {
            case .account: "Your account"
            case .users: "Users"
            case .tokens: "Tokens"
            case .endpoints: "Endpoints"
            case .model: "Model"
            case .bridges: "Bridges"
            case .backups: "Backups"
            case .audit: "Audit log"
            }
        }

        var needs: Role { [.users, .tokens, .audit].contains(self) ? .admin : .viewer }
    }

    /// Those that this plane has.
    private var sections: [Section] {
        parts.model == nil ? [.account, .users, .tokens, .audit] : Section.allCases
    }

    /// What a page tells of the form that was sent to it.
    struct Told {
        var problem: Problem?
        /// What was done, in a sentence.
        var done: String?
    }

    func respond<Body>(
        _ template: String, _ section: Section, _ asked: PageRequest, _ body: Body,
        _ told: Told = Told()
    ) -> Response {
        let shell = pages.shell(section.words, .settings, asked)
        let links = sections.filter { $0.needs <= asked.role }.map {
            SettingsView<Body>.Link(href: $0.path, words: $0.words, isHere: $0 == section)
        }
        let view = SettingsView(
            links: links, problem: told.problem.map { ShownText.escaped($0.detail) },
            done: told.done, token: shell.token, mayChange: asked.role >= .admin, body: body)
        var response = ConsolePages.html(template, shell, view, told.problem?.status ?? .ok)
        if let seconds = told.problem?.retryAfterSeconds {
            response.headers[.retryAfter] = "\(seconds)"
        }
        return response
    }

    /// What `body` answers to a form; what cannot be is told on the form's own page.
    func attempt(
        _ page: (Told) async throws -> Response, _ body: () async throws -> Response
    ) async throws -> Response {
        do {
            return try await body()
        } catch let refusal as AccountRefusal {
            return try await page(Told(problem: Problem(refusal)))
        } catch let problem as Problem where problem.status.code < 500 {
            return try await page(Told(problem: problem))
        }
    }
}

/// What settings show beside what all pages read.
package struct SettingsParts: Sendable {
    /// How this process judges payments.
    struct Model: Sendable {
        let schema: ModelSchema
        /// A model file outside the binary; nil for the built-in one.
        let path: String?
        /// With the thresholds and amounts that hold now.
        let verdicts: Verdicts
        /// What another model made of payments, where it was tried.
        let shadow: @Sendable () -> KeptShadow
    }

    /// Where backups go, and the last one.
    package struct Backups: Sendable {
        /// nil where none is made by itself.
        let folder: String?
        /// Of the UTC day; nil for none.
        let minute: Int?
        let isEncrypted: Bool
        let last: @Sendable () -> BackupNote?

        package init(
            folder: String?, minute: Int?, isEncrypted: Bool,
            last: @escaping @Sendable () -> BackupNote?
        ) {
            self.folder = folder
            self.minute = minute
            self.isEncrypted = isEncrypted
            self.last = last
        }

        /// None, and none is known.
        package static let none = Backups(folder: nil, minute: nil, isEncrypted: false) { nil }
    }

    let desk: AccessDesk
    let backups: Backups
    /// nil where another process judges, takes webhooks and feeds copies: then there are no
    /// sections of these.
    let model: Model?

    package init(
        desk: AccessDesk, schema: ModelSchema, modelPath: String?, verdicts: Verdicts,
        backups: Backups = .none, shadow: @escaping @Sendable () -> KeptShadow = { .none }
    ) {
        self.desk = desk
        self.backups = backups
        model = Model(schema: schema, path: modelPath, verdicts: verdicts, shadow: shadow)
    }

    /// Of a console that is a process of its own.
    package init(desk: AccessDesk) {
        self.desk = desk
        backups = .none
        model = nil
    }
}

/// A page of the settings: its sections, what was done, and its own part.
struct SettingsView<Body> {
    struct Link {
        var href, words: String
        var isHere: Bool
    }

    var links: [Link]
    var problem: String?
    var done: String?
    var token: String
    /// Whether who looks has the role admin.
    var mayChange: Bool
    var body: Body
}

/// One of several, in a form.
struct SettingsOption {
    var value, label: String
    var isChosen: Bool

    static func roles(chosen: Role) -> [SettingsOption] {
        Role.allCases.map {
            SettingsOption(value: $0.rawValue, label: $0.rawValue, isChosen: $0 == chosen)
        }
    }
}

extension PageRequest {
    /// A field of the form.
    ///
    /// - Throws: 400 where it is missing.
    func field(_ name: String) throws(Problem) -> String {
        guard let text = form?[name] else {
            throw Problem(.badRequest, "the form has no \(name)")
        }
        return text
    }

    /// The role that a form names.
    func formRole() throws(Problem) -> Role {
        guard let role = Role(rawValue: try field("role")) else {
            throw Problem(
                .badRequest,
                "role is one of " + Role.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return role
    }
}

extension ShownMoment {
    init(milliseconds: Int64) { self.init(Instant(seconds: milliseconds / 1_000)) }
}
