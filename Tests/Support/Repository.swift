public import Foundation

/// Where the tests stand.
public enum Repository {
    /// The folder that holds Package.swift.
    public static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The interpreter with the packages of .ci/packages.txt.
    ///
    /// - Parameter environment: one of its further environments, `pip@NAME`, for packages that do
    ///   not go with the others; nil for the common one.
    /// - Throws: `MissingPython` that says what to run.
    public static func python(_ environment: String? = nil) throws -> String {
        let chosen = ProcessInfo.processInfo.environment["TILLBOX_TEST_PYTHON"]
        if environment == nil, let chosen { return chosen }
        let folder = environment.map { ".venv-\($0)" } ?? ".venv"
        let own = root.appending(path: "\(folder)/bin/python3").path
        guard FileManager.default.isExecutableFile(atPath: own) else { throw MissingPython() }
        return own
    }

    /// The tool that checks metrics and alert rules, of the Debian package `prometheus`.
    ///
    /// - Throws: `MissingPromtool` that says what to run.
    public static func promtool() throws -> String {
        let path = "/usr/bin/promtool"
        guard FileManager.default.isExecutableFile(atPath: path) else { throw MissingPromtool() }
        return path
    }

    public struct MissingPromtool: Error, CustomStringConvertible {
        public var description: String {
            "no /usr/bin/promtool; run `make setup`, which installs .ci/packages.txt"
        }
    }

    public struct MissingPython: Error, CustomStringConvertible {
        public var description: String {
            "no .venv/bin/python3 in the repository; run `make setup`, or set TILLBOX_TEST_PYTHON"
        }
    }
}

/// A fresh folder that is gone when this object is.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        path = FileManager.default.temporaryDirectory
            .appending(path: "tillbox-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of `name` inside.
    public func file(_ name: String) -> String { "\(path)/\(name)" }
}
