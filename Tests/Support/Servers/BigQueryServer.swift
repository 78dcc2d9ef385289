import Foundation

/// A BigQuery emulator of its own on loopback ports, in memory. It shows what becomes of data; of
/// names of jobs, locations and tokens it shows nothing.
public final class BigQueryServer: Sendable {
    public static let project = "tillbox-test"
    private static let extensionFolder = ".duckdb/extensions/v1.5.5/linux_amd64"

    public let port: Int
    private let folder: TemporaryFolder
    private let process: ServerProcess

    public var base: String { "http://127.0.0.1:\(port)" }

    /// Starts it. Returns when it answers.
    public init() async throws {
        let python = try Repository.python("bqemu")
        port = try freePort()
        folder = try TemporaryFolder()
        // It loads DuckDB's extension from its home, and asks the internet for half a minute where
        // there is none.
        let packages = Repository.root.appending(path: ".venv-bqemu/lib")
        let files = FileManager.default.enumerator(at: packages, includingPropertiesForKeys: nil)
        let found = (files?.allObjects ?? []).lazy.compactMap { $0 as? URL }.first {
            $0.path.hasSuffix("v1.5.5/spatial.duckdb_extension")
        }
        guard let found else { throw NoBigQuery(words: "no duckdb-extension-spatial") }
        let home = folder.file(Self.extensionFolder)
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: home + "/spatial.duckdb_extension", withDestinationPath: found.path)
        process = try ServerProcess(
            [
                URL(filePath: python).deletingLastPathComponent().path + "/bqemulator", "start",
                "--rest-port", "\(port)", "--grpc-port", "\(try freePort())", "--project",
                Self.project,
            ], folder: folder, environment: ["HOME": folder.path])
        let (process, address) = (process, "\(base)/bigquery/v2/projects/\(Self.project)/datasets")
        try await eventually("the BigQuery emulator answers", every: .milliseconds(100)) {
            guard process.isRunning else {
                throw NoBigQuery(words: process.output + process.errors)
            }
            let (code, _, _) = try await Child.run("/usr/bin/curl", ["-sf", address])
            return code == 0
        }
    }

    struct NoBigQuery: Error { var words: String }
}
