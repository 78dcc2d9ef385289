import Foundation
import SystemPackage
import Vocabulary

/// What a box has to be told before its first start, and how that is written: settings into the
/// configuration file, each secret into a file of its own.
package struct FirstSettings: Sendable {
    /// Which events are taken.
    package var mode: Mode
    /// Where deliveries are listened for.
    package var address: Settings.Address
    /// Of the endpoint, as the dashboard shows it; nil keeps the one that is there.
    package var signingSecret: String?
    /// nil keeps the one that is there, or none.
    package var apiKey: String?

    /// `any` is asked for by nobody, and kept where a person has set it.
    package enum Mode: String, CaseIterable, Sendable { case live, test, any }

    package init(
        mode: Mode, address: Settings.Address, signingSecret: String?, apiKey: String?
    ) {
        self.mode = mode
        self.address = address
        self.signingSecret = signingSecret
        self.apiKey = apiKey
    }

    /// Why an answer cannot be meant; nil where it can. No sentence repeats a secret.
    package static func refusal(ofSigningSecret text: String) -> String? {
        switch SecretText.signingSecrets(in: text) {
        case .success: nil
        case .failure(let error) where error.refusal == .empty:
            "it is needed; it stands on the endpoint's page in Stripe's dashboard"
        case .failure(let error): "that \(error.refusal.sentence)"
        }
    }

    /// - Parameter mode: which events are taken.
    package static func refusal(ofAPIKey text: String, mode: Mode) -> String? {
        switch SecretText.apiKey(in: text) {
        case .failure(let error): return "that \(error.refusal.sentence)"
        case .success(let key):
            let isLive = StripeKeyMode(of: key) == .live
            guard mode != .any, isLive != (mode == .live) else { return nil }
            return "that is a key of \(isLive ? "live" : "test") mode, and the events are to be "
                + "\(mode.rawValue) ones; give a key of \(mode.rawValue) mode"
        }
    }

    /// `host:port`, `[…]:port` of an IPv6 address, or a port of this machine alone.
    package static func address(in text: String) -> Settings.Address? {
        let word = text.trimmingCharacters(in: .whitespaces)
        if let port = Int(word) {
            return (1...65535).contains(port) ? .init(host: "127.0.0.1", port: port) : nil
        }
        guard let colon = word.lastIndex(of: ":"),
            let port = Int(word[word.index(after: colon)...]), (1...65535).contains(port)
        else { return nil }
        var host = word[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.allSatisfy({ $0.isASCII && !$0.isWhitespace }),
            !host.contains(":") || word.hasPrefix("[")
        else { return nil }
        return .init(host: String(host), port: port)
    }
}

/// Where a box keeps its configuration and secrets.
package struct SettingsPlace: Sendable {
    package let file: String
    package let secrets: String

    private static let systemFile = "/etc/tillbox/tillbox.conf"
    private static let systemSecrets = "/etc/tillbox/secrets"
    /// What the package's file looks like at first.
    private static let template = "/usr/share/tillbox/tillbox.conf"
    /// What a file without the package looks like at first: what is asked for, and what a box that
    /// takes money wants beside it.
    private static let outline = """
        # Tillbox's configuration (YAML). Every setting is in docs/CONFIGURATION.md; one that begins
        # with # is left as it is. `tillbox init` changes what it asks for, and nothing else.

        profile: edge

        webhook:
          #secret_file:
          #livemode: live
          #host: 127.0.0.1
          #port: 8080

        stripe:
          #api_key_file:

        # Where the nightly backup goes: another disk, or another machine's.
        backup:
          #folder: /mnt/backup/tillbox

        # Who is told of what needs a person: a command that gets the text, or the address of a
        # webhook in a private file (url_file).
        alerts:
          #command: mail -s Tillbox ops@example.com

        """
    private static let credentials = "/run/credentials/tillbox.service/secret_"

    /// - Parameters:
    ///   - file: nil takes the package's where that is installed, else one in this folder.
    ///   - secrets: nil takes a folder beside the file.
    package init(file: String?, secrets: String?) {
        let isInstalled = FileManager.default.fileExists(atPath: Self.systemSecrets)
        let path = file ?? (isInstalled ? Self.systemFile : "tillbox.conf")
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        self.file = path
        self.secrets = secrets ?? (folder + ["secrets"]).joined(separator: "/")
    }

    /// Whether the service reads it, with secrets that systemd hands over.
    package var isSystem: Bool { secrets == Self.systemSecrets }

    /// Whether a secret is there that can be kept: an empty file is none.
    package func secretExists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(secrets)/\(name)") && secret(name) != ""
    }

    /// The secret that is there, without white space around it; nil where it cannot be read.
    package func secret(_ name: String) -> String? {
        let text = try? String(contentsOfFile: "\(secrets)/\(name)", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// What the file says by now of the events' mode and of the address, as a person would answer;
    /// nil for what it does not say.
    ///
    /// - Throws: ``Failure`` where nothing could be written there in the end.
    package func present() throws(Failure) -> (mode: String?, address: String?) {
        try check()
        guard let known = try text(at: file) else { return (nil, nil) }
        let draft = ConfigurationDraft(known)
        let (host, port) = (draft.value(of: "webhook.host"), draft.value(of: "webhook.port"))
        guard host != nil || port != nil else { return (draft.value(of: "webhook.livemode"), nil) }
        let name = host ?? "127.0.0.1"
        let address = (name.contains(":") ? "[\(name)]" : name) + ":\(port ?? "8080")"
        return (
            draft.value(of: "webhook.livemode"),
            FirstSettings.address(in: address) == nil ? nil : address
        )
    }

    /// What keeps the settings from being written, before anybody has answered anything.
    private func check() throws(Failure) {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), isFolder.boolValue
        {
            throw Failure(path: file, reason: "it is a folder")
        }
        let parent = URL(filePath: file).deletingLastPathComponent().path
        for folder in [parent, secrets]
        where access(folder, W_OK | X_OK) != 0 && (folder == parent || errno != ENOENT) {
            throw Failure(path: folder, reason: String(cString: strerror(errno)))
        }
    }

    /// The settings cannot be written.
    package struct Failure: Error, CustomStringConvertible {
        let path: String
        let reason: String

        package var description: String {
            "cannot write at \(path): \(reason); run it as who may (with sudo), or name other "
                + "places with --config and --secrets"
        }
    }

    /// As the configuration names a secret's file.
    private func reference(to name: String) -> String {
        isSystem ? Self.credentials + name : DataFolder.canonical("\(secrets)/\(name)")
    }

    /// Writes all of it: the secrets first, each for its owner alone, then the file that names
    /// them, which stays its owner's and closed to whom it was closed: it may hold secrets itself.
    ///
    /// - Throws: ``ConfigurationDraft/Refusal``, `SettingsError` where the file would not be read,
    ///   ``Failure`` where something cannot be written; the old file stays then.
    package func write(_ settings: FirstSettings) throws {
        let (next, text) = (file + ".new", try changed(by: settings))
        let former = try? FilePath(file).stat()
        try Self.replace(
            next, with: text, former?.permissions ?? [.ownerReadWrite, .groupRead, .otherRead],
            as: former)
        do {
            _ = try SettingsLoader(file: next, environment: [:]).load(needsSecrets: false)
            let secrets = [
                (Self.webhookName, settings.signingSecret), (Self.stripeName, settings.apiKey),
            ]
            for case (let name, let secret?) in secrets { try put(secret, name) }
            try Self.putInPlace(next, file)
        } catch {
            unlink(next)
            throw error
        }
    }

    /// The file's text with these settings in it.
    private func changed(by settings: FirstSettings) throws -> String {
        var draft = ConfigurationDraft(
            try text(at: file) ?? text(at: Self.template) ?? Self.outline)
        for key in ["webhook.secret", "stripe.api_key"] where draft.isSet(key) {
            throw SettingsError.contradicts(
                key: key,
                reason: "\(file) holds that secret itself; take the line out, secrets get files "
                    + "of their own")
        }
        try draft.set("profile", to: "edge")
        try draft.set("webhook.host", to: settings.address.host)
        try draft.set("webhook.port", to: "\(settings.address.port)")
        try draft.set("webhook.livemode", to: settings.mode.rawValue)
        try draft.set("webhook.secret_file", to: reference(to: Self.webhookName))
        if settings.apiKey != nil || secretExists(Self.stripeName) {
            try draft.set("stripe.api_key_file", to: reference(to: Self.stripeName))
        }
        return draft.text
    }

    package static let webhookName = "webhook"
    package static let stripeName = "stripe"

    private func put(_ secret: String, _ name: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: secrets, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(path: secrets, reason: ErrorWords.reason(of: error))
        }
        let path = "\(secrets)/\(name)"
        try Self.replace("\(path).new", with: secret + "\n", .ownerReadWrite)
        try Self.putInPlace("\(path).new", path)
    }

    private static func putInPlace(_ next: String, _ path: String) throws(Failure) {
        guard rename(next, path) == 0 else {
            throw Failure(path: path, reason: String(cString: strerror(errno)))
        }
    }

    /// - Parameter former: whose owner and group it gets, where this process may give it away.
    private static func replace(
        _ path: String, with text: String, _ permissions: FilePermissions, as former: Stat? = nil
    ) throws(Failure) {
        // One that was killed may have left it. A link is not followed, whoever put it there: what
        // it leads to would be emptied, and given to the former file's owner.
        unlink(path)
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite)
            try file.closeAfter {
                if let former {
                    _ = fchown(file.rawValue, former.userID.rawValue, former.groupID.rawValue)
                }
                // Before the first byte; the process's mask may have taken some away.
                guard fchmod(file.rawValue, permissions.rawValue) == 0 else {
                    throw Errno(rawValue: errno)
                }
                _ = try file.writeAll(Array(text.utf8))
                guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
        } catch {
            throw Failure(path: path, reason: ErrorWords.reason(of: error))
        }
    }

    private func text(at path: String) throws(Failure) -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure(path: path, reason: "what is there cannot be read as text")
        }
        return text
    }
}
