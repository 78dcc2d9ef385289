import Foundation
import TestSupport
import Testing

/// The folders of the middle: one target, in which no compiler holds them apart.
private let middle: Set<String> = [
    "Gate", "Validate", "Features", "Score", "Ledger", "Stages", "Redrive", "Replay", "Start",
    "Embedded", "Review", "Retraining",
]

/// The arrows between folders, read from the sources: the compiler enforces those between targets
/// only. What each folder of Appliance may name of the others. Everyone may name Vocabulary.
private let allowed: [String: Set<String>] = [
    "Vocabulary": [],
    "Gate": [], "Validate": [], "Features": [], "Ledger": [],
    "Score": ["Features"],
    "Stages": ["Gate", "Validate", "Features", "Score", "Ledger"],
    "Redrive": ["Gate", "Validate", "Features", "Score", "Ledger", "Stages"],
    "Replay": ["Gate", "Validate", "Features", "Score", "Ledger", "Stages", "Redrive", "Embedded"],
    "Reconcile": ["Gate", "Ledger"],
    "Start": ["Gate", "Validate", "Features", "Score", "Ledger", "Stages", "Redrive", "Embedded"],
    "Embedded": ["Gate", "Validate", "Features", "Score", "Ledger", "Stages", "Redrive", "Review"],
    "Review": ["Ledger", "Stages"],
    "Retraining": ["Features", "Score", "Ledger", "Review"],
    "Cloud": ["Gate", "Features", "Ledger", "Stages", "Redrive", "Review"],
    "Relay": ["Gate", "Ledger", "Replay", "Stages"],
    "Backup": ["Ledger", "Start", "Stages"],
    "Console": [
        "Backup", "Features", "Gate", "Ledger", "Reconcile", "Redrive", "Relay", "Review", "Score",
        "Stages", "Validate",
    ],
    "Terminal": [], "Traffic": [], "Twin": ["Traffic"],
    "Warehouse": ["Ledger", "Reconcile", "Validate"],
    "Daemon": middle.union([
        "Backup", "Cloud", "Console", "Reconcile", "Relay", "Terminal", "Traffic", "Warehouse",
    ]),
    "Bench": middle.union(["Daemon", "Reconcile", "Terminal", "Traffic", "Twin"]),
]

/// Who may import what the product keeps at its rim.
private let rim: [String: Set<String>] = [
    "Hummingbird": ["Gate", "Console", "Twin", "Daemon", "Bench", "Command"],
    "GRDB": ["Console", "Ledger", "Reconcile", "Warehouse"], "ArgumentParser": ["Command", "Bench"],
    "CXGBoost": ["Score"], "CSimdjson": ["Vocabulary"], "CProcess": ["Daemon"],
    "CZlib": ["Warehouse"],
    "Yams": ["Daemon"], "Configuration": ["Daemon"], "COpenSSL": [],
    "CPostgres": [], "JWTKit": ["Warehouse"], "NIOSSL": ["Gate", "Daemon"],
]

/// Handles of the embedded log. Its records and offsets are Kafka's own nouns, which everybody
/// names.
private let logHandles: Set<String> = [
    "Log", "ReadOnlyLog", "Topic", "ReadOnlyTopic", "Topics", "CursorStore", "LogConfiguration",
    "LogError", "TopicName", "GroupName", "ProducerName",
]

/// Where a handle of the embedded log may be named: the plane itself, what only looks at a folder
/// of it (replay, the start's comparison, the commands on the log, its benchmarks), and who puts it
/// together.
private let logPlaces = [
    "Backup/", "Embedded/", "Replay/", "Start/", "Daemon/Planes.swift", "Daemon/Daemon.swift",
    "Daemon/HeldFolder.swift", "Command/Log", "Command/FolderView.swift",
    "Command/DeadLetterCommand.swift", "Command/ReviewDoor.swift", "Command/BridgeCommand.swift",
    "Bench/",
]

/// Where SQLite may be named: folders of that name, and who opens a ledger of the embedded plane.
private let sqlitePlaces = [
    "Backup/", "Console/Access/SQLite/", "Console/Index/", "Ledger/SQLite/", "Reconcile/SQLite/",
    "Replay/", "Start/", "Daemon/Planes.swift", "Daemon/Daemon.swift", "Daemon/StripeParts.swift",
    "Command/Ledger",
    "Command/FolderView.swift", "Command/Demo/", "Bench/",
    "Warehouse/State/",
    // Its sentences name whose codes they are.
    "Ledger/LedgerError.swift",
]

@Suite("Folder edges")
struct FolderEdgeTests {
    struct Source {
        var folder: String
        var path: String
        var text: String
        /// Every word of its code, comments left out.
        var words: Set<String>
        /// Every type that it declares and does not hide in its file.
        var declarations: [String]
    }

    static let sources: [Source] = {
        let top = Repository.root.appending(path: "Sources/Appliance")
        let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil)
        return (files?.allObjects ?? []).compactMap { item in
            guard let url = item as? URL, url.pathExtension == "swift",
                let text = try? String(contentsOf: url, encoding: .utf8)
            else { return nil }
            let parts = url.pathComponents.dropFirst(top.pathComponents.count)
            guard parts.count > 1, let folder = parts.first else { return nil }
            return Source(
                folder: folder, path: parts.joined(separator: "/"), text: text,
                words: words(in: text), declarations: declarations(in: text))
        }
    }()

    @Test("the sources are found")
    func found() {
        #expect(Self.sources.count > 40)
        #expect(Set(Self.sources.map(\.folder)).isSuperset(of: allowed.keys))
    }

    @Test("a folder names only the folders it may", arguments: allowed.keys.sorted())
    func edges(folder: String) {
        let own = Self.sources.filter { $0.folder == folder }
        // A type that the folder may name can bear the same name, nested or not.
        let open = (allowed[folder] ?? []).union([folder, "Vocabulary"])
        let nameable = Self.sources.filter { open.contains($0.folder) }
        let mine = own.reduce(into: Set<String>()) { $0.formUnion($1.words) }
            .subtracting(nameable.flatMap(\.declarations))
        let forbidden = Set(allowed.keys).subtracting(allowed[folder] ?? [])
            .subtracting([folder, "Vocabulary"])
        for other in forbidden.sorted() {
            let named = Self.declared(in: other).intersection(mine)
            #expect(named.isEmpty, "\(folder) names \(named.sorted()) of \(other)")
        }
    }

    @Test("a library at the rim is imported only where it belongs", arguments: rim.keys.sorted())
    func importers(module: String) {
        let importers = Set(
            Self.sources.filter { source in
                source.text.split(separator: "\n").contains { line in
                    let words = line.split(separator: " ")
                    return words.contains("import") && words.last.map(String.init) == module
                }
            }.map(\.folder))
        #expect(importers.isSubset(of: rim[module] ?? []), "\(module): \(importers.sorted())")
    }

    @Test("no handle of the embedded log is named outside of its plane")
    func logHandlesStay() {
        for source in Self.sources where !logPlaces.contains(where: source.path.hasPrefix) {
            let named = source.words.intersection(logHandles)
            #expect(named.isEmpty, "\(source.path) names \(named.sorted())")
        }
    }

    @Test("no word of SQLite is named outside of its plane")
    func sqliteStays() {
        for source in Self.sources where !sqlitePlaces.contains(where: source.path.hasPrefix) {
            let named = source.words.filter { $0.contains("SQLite") || $0.contains("GRDB") }
            #expect(named.isEmpty, "\(source.path) names \(named.sorted())")
        }
    }

    @Test("the outside systems know nothing of Stripe")
    func bridgesAreNeutral() throws {
        let top = Repository.root.appending(path: "Sources/Bridges")
        let files = FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil)
        for case let url as URL in files ?? .init() where url.pathExtension == "swift" {
            let text = try String(contentsOf: url, encoding: .utf8)
            #expect(!text.lowercased().contains("stripe"), "\(url.lastPathComponent)")
        }
    }

    @Test("a place that is excepted is there, and needs it")
    func exceptionsAreNeeded() {
        for place in logPlaces + sqlitePlaces {
            #expect(Self.sources.contains { $0.path.hasPrefix(place) }, "\(place)")
        }
    }

    /// Types that a folder declares at the top level.
    static func declared(in folder: String) -> Set<String> {
        Set(sources.filter { $0.folder == folder }.flatMap { source in
            let top = source.text.split(separator: "\n").filter { $0.first?.isLetter == true }
            return declarations(in: top.joined(separator: "\n"))
        })
    }

    static func declarations(in text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
            guard !line.contains("//"), !words.contains("fileprivate"),
                let keyword = words.firstIndex(where: {
                    ["struct", "class", "enum", "protocol", "actor"].contains($0)
                }), keyword + 1 < words.count
            else { return nil }
            return words[keyword + 1]
        }
    }

    static func words(in text: String) -> Set<String> {
        var words: Set<String> = []
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)
            for word in parts[0].split(whereSeparator: {
                !($0.isLetter || $0.isNumber || $0 == "_")
            }) {
                words.insert(String(word))
            }
        }
        return words
    }
}
