import Foundation

/// A PostgreSQL server of the test process's own, on loopback and on a socket with a short path. It
/// starts once; each test takes a database of its own.
///
/// A shell stands over it: when the test process is gone, however it went, it kills the server and
/// removes its folder.
public final class PostgresServer: @unchecked Sendable {
    // `@unchecked Sendable`: all of it is immutable but `guardian`, which changes under `lock`.
    /// The cluster's folder, the socket's and the certificates'.
    public let folder: String
    public let port: Int
    private let durable: Bool
    private let lock = NSLock()
    private var guardian: Process?
    private var databases = 0

    /// The superuser, who needs no password on the socket.
    public static let owner = "postgres"
    /// What every role of the tests has as its password.
    public static let password = "correct horse"

    private static let shared = Result { try PostgresServer() }

    /// The server that the suites of a test process share. Blocking: a second, the first time.
    public static func common() throws -> PostgresServer { try shared.get() }

    /// - Parameter durable: whether each commit is synced to the disk, as in production.
    public init(durable: Bool = false) throws {
        self.durable = durable
        // A socket's whole path may have 107 bytes, and TMPDIR is not ours to choose.
        folder = "/tmp/tillbox-pg-" + UUID().uuidString.prefix(8).lowercased()
        port = try freePort()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        do {
            try prepare()
            try start()
        } catch {
            stop(.immediate)
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
    }

    deinit {
        stop(.immediate)
        try? FileManager.default.removeItem(atPath: folder)
    }

    // MARK: Reaching it

    /// By the socket, as the superuser.
    public func uri(_ database: String = "postgres") -> String {
        "postgresql://\(Self.owner)@/\(database)?host=\(folder)&port=\(port)"
    }

    /// By loopback, with the password, without TLS.
    public func networkURI(
        _ database: String = "postgres", user: String = PostgresServer.owner,
        password: String? = PostgresServer.password, port: Int? = nil
    ) -> String {
        let secret = password.map { ":" + $0.replacingOccurrences(of: " ", with: "%20") } ?? ""
        return "postgresql://\(user)\(secret)@127.0.0.1:\(port ?? self.port)/\(database)"
            + "?sslmode=disable"
    }

    /// By loopback over TLS, with the certificate's authority and its name checked.
    public func tlsURI(
        _ database: String = "postgres", host: String = "localhost", authority: String? = nil
    ) -> String {
        let secret = Self.password.replacingOccurrences(of: " ", with: "%20")
        return "postgresql://\(Self.owner):\(secret)@\(host):\(port)/\(database)"
            + "?hostaddr=127.0.0.1&sslmode=verify-full"
            + "&sslrootcert=\(authority ?? folder + "/ca.pem")"
    }

    /// A name for a database that nobody has taken yet.
    public func databaseName() -> String {
        lock.withLock {
            databases += 1
            return "test_\(databases)"
        }
    }

    /// What psql, a client that knows nothing of Tillbox, makes of a script; it goes on after an
    /// error, as an attacker would.
    public func psql(
        _ database: String, _ script: String, user: String = PostgresServer.owner
    ) throws -> (output: String, errors: String) {
        let ran = try run(
            "/usr/bin/psql",
            [
                "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", "-h", folder, "-p", "\(port)",
                "-U", user, "-d", database, "-c", script,
            ])
        return (ran.output, ran.errors)
    }

    /// What the owner's script answers, without the end of its last line. Blocking.
    ///
    /// - Throws: `PostgresServerFailed` with psql's words where any of it fails.
    @discardableResult
    public func sql(_ database: String, _ script: String) throws -> String {
        let ran = try run(
            "/usr/bin/psql",
            [
                "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", "\(port)",
                "-U", Self.owner, "-d", database, "-c", script,
            ])
        guard ran.code == 0 else { throw PostgresServerFailed(words: "\(script): \(ran.errors)") }
        return ran.output.trimmingCharacters(in: .newlines)
    }

    // MARK: Its life

    public enum Stop: String, Sendable {
        /// Ends all connections, then itself.
        case fast
        /// Ends as if it had crashed.
        case immediate
    }

    /// Starts it, or starts it again. Returns when it takes connections.
    public func start() throws {
        try lock.withLock {
            let process = Process()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", Self.guardScript, "guard", folder, "\(getpid())"] + server
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            guardian = process
        }
        let deadline = Date.now + 60
        while try psql("postgres", "SELECT 1").output != "1\n" {
            guard Date.now < deadline, isRunning else {
                throw PostgresServerFailed(words: String(log.suffix(2_000)))
            }
            usleep(10_000)
        }
    }

    /// Returns when it is gone, also where it is held, or has not come to take connections yet.
    public func stop(_ how: Stop) {
        resume()
        var told: Int32?
        while isRunning {
            // It writes its number down a moment after it has begun.
            if let processID, processID != told {
                kill(processID, how == .fast ? SIGINT : SIGQUIT)
                told = processID
            }
            usleep(10_000)
        }
        lock.withLock { guardian = nil }
    }

    /// Holds every process of the server, which hangs from then on.
    public func pause() { signalAll(SIGSTOP) }
    public func resume() { signalAll(SIGCONT) }

    private var isRunning: Bool { lock.withLock { guardian?.isRunning ?? false } }

    public var log: String {
        (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
    }

    private var processID: Int32? {
        let file = try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)
        return file?.split(separator: "\n").first.flatMap { Int32($0) }
    }

    private func signalAll(_ number: Int32) {
        guard let processID else { return }
        let children = try? run("/usr/bin/pgrep", ["-P", "\(processID)"])
        for child in (children?.output ?? "").split(separator: "\n").compactMap({ Int32($0) }) {
            kill(child, number)
        }
        kill(processID, number)
    }

    /// $1: the folder; $2: the test process; the rest: the server.
    private static let guardScript = """
        folder=$1; tests=$2; shift 2
        "$@" >>"$folder/log" 2>&1 & server=$!
        while kill -0 $server 2>/dev/null; do
            if ! kill -0 $tests 2>/dev/null; then
                pid=$(head -1 "$folder/data/postmaster.pid")
                pkill -CONT -P $pid; kill -CONT $pid; kill -QUIT $pid
                wait $server; rm -rf "$folder"; exit
            fi
            sleep 0.2
        done
        """

    // MARK: Making it

    private static let programs: String = {
        let top = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? []
        return "\(top)/\(versions.compactMap(Int.init).max() ?? 15)/bin"
    }()

    /// The server refuses to run as root. Not runuser: that one would stand between us and the
    /// server, and stop for ever once the server is held.
    private var asItself: [String] {
        getuid() == 0
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
    }

    private var server: [String] {
        asItself + ["\(Self.programs)/postgres", "-D", folder + "/data"]
    }

    private func prepare() throws {
        try certificates()
        try Data(Self.password.utf8).write(to: URL(filePath: folder + "/password"))
        if getuid() == 0 { try own() }
        try checked(
            asItself + [
                "\(Self.programs)/initdb", "-D", folder + "/data", "-U", Self.owner,
                "--pwfile", folder + "/password", "-E", "UTF8", "--locale", "C.UTF-8", "-N",
                "--auth-local", "trust", "--auth-host", "scram-sha-256",
            ])
        let settings = """

            port = \(port)
            listen_addresses = '127.0.0.1'
            unix_socket_directories = '\(folder)'
            ssl = on
            ssl_cert_file = '\(folder)/server.pem'
            ssl_key_file = '\(folder)/server.key'
            fsync = \(durable ? "on" : "off")
            max_connections = 60
            shared_buffers = 64MB
            autovacuum = off
            log_min_messages = fatal
            """
        let file = try FileHandle(forWritingTo: URL(filePath: folder + "/data/postgresql.conf"))
        try file.seekToEnd()
        try file.write(contentsOf: Data(settings.utf8))
        try file.close()
    }

    /// An authority, a server's certificate by it for localhost, and another authority.
    private func certificates() throws {
        for (name, subject) in [("ca", "/CN=test authority"), ("other", "/CN=another authority")] {
            try checked([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", subject,
                "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).pem",
            ])
        }
        try checked([
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-subj", "/CN=localhost", "-keyout", "\(folder)/server.key",
            "-out", "\(folder)/server.csr",
        ])
        try Data("subjectAltName=DNS:localhost\n".utf8)
            .write(to: URL(filePath: folder + "/names"))
        try checked([
            "openssl", "x509", "-req", "-days", "2", "-in", "\(folder)/server.csr",
            "-CA", "\(folder)/ca.pem", "-CAkey", "\(folder)/ca.key", "-CAcreateserial",
            "-extfile", "\(folder)/names", "-out", "\(folder)/server.pem",
        ])
        try checked(["chmod", "600", "\(folder)/server.key"])
    }

    private func own() throws {
        try checked(["chown", "-R", "postgres", folder])
        try checked(["chmod", "755", folder])
    }

    private func checked(_ command: [String]) throws {
        let result = try run("/usr/bin/env", command)
        guard result.code == 0 else {
            throw PostgresServerFailed(words: "\(command.joined(separator: " ")): \(result.errors)")
        }
    }

    private struct Ran {
        var code: Int32
        var output, errors: String
    }

    private func run(_ executable: String, _ arguments: [String]) throws -> Ran {
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        // Files, not pipes: whoever is started meanwhile inherits the end of a pipe.
        let place = try TemporaryFolder()
        for name in ["output", "errors"] {
            _ = FileManager.default.createFile(atPath: place.file(name), contents: nil)
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: place.file("output"))
        process.standardError = FileHandle(forWritingAtPath: place.file("errors"))
        try process.run()
        process.waitUntilExit()
        func text(_ name: String) -> String {
            (try? String(contentsOfFile: place.file(name), encoding: .utf8)) ?? ""
        }
        return Ran(
            code: process.terminationStatus, output: text("output"), errors: text("errors"))
    }
}

/// The server did not start; says what it said.
public struct PostgresServerFailed: Error, CustomStringConvertible {
    public var words: String
    public var description: String { words }
}
