import Foundation
import TestSupport
import Testing

/// A data folder with some payments in it, whose daemon has drained and stopped.
final class FilledFolder {
    private let folder: TemporaryFolder
    var path: String { folder.file("data") }
    /// A folder that is somebody else's, though it has a `log` of its own.
    var foreign: String { folder.file("var") }
    var missing: String { folder.file("nowhere") }

    init(count: Int = 200) async throws {
        folder = try TemporaryFolder()
        let port = try freePort()
        let daemon = try Tillbox.start(
            data: folder.file("data"), webhookPort: port, adminPort: try freePort())
        try await daemon.untilListening()
        let traffic = try await Tillbox.simulate(
            to: port, count: count, seed: 5, "--prove", folder.file("data"))
        #expect(traffic.code == 0, "\(traffic.errors)")
        daemon.kill(SIGTERM)
        #expect(await daemon.wait() == 0, "\(daemon.standardError.suffix(800))")
        let files = FileManager.default
        try files.createDirectory(
            atPath: folder.file("var/log/apt-0"), withIntermediateDirectories: true)
        try "no ledger".write(
            toFile: folder.file("var/ledger.sqlite"), atomically: true, encoding: .utf8)
    }

    func file(_ name: String) -> String { folder.file(name) }

    /// A user of no name, as whom a service may run.
    private static let serviceUser = 65_534

    /// Makes it the data folder of a service that is stopped; root alone can.
    func giveToService() async throws {
        try await Self.giveToService([path])
    }

    /// Makes folders the service's, and the links in them, but not what these lead to.
    static func giveToService(_ folders: [String]) async throws {
        let user = "\(serviceUser):\(serviceUser)"
        let given = try await Child.run("/bin/chown", ["-R", "-h", user] + folders)
        #expect(given.code == 0, "\(given.errors)")
    }

    /// How many files and folders a folder has, and those that are not the service's.
    static func owners(in folder: String) throws -> (count: Int, strangers: [String]) {
        let files = FileManager.default
        let names = try #require(files.enumerator(atPath: folder)).compactMap { $0 as? String }
        let strangers = try ([""] + names).filter { name in
            let found = try files.attributesOfItem(atPath: "\(folder)/\(name)")
            return (found[.ownerAccountID] as? NSNumber)?.intValue != serviceUser
        }
        return (names.count, strangers)
    }
}
