import Yams

/// The YAML file as keys and the text of their values.
///
/// Values stay the text that is written: YAML's own reading of scalars would make 750 of `12:30`, a
/// number of `0640` and a truth value of `off`. Nothing of the file but its keys is ever repeated
/// in an error, because any line may hold a secret.
struct ConfigurationFile {
    /// By dotted key; the items of a list stand on a line each.
    private(set) var values: [String: String] = [:]

    /// - Throws: ``SettingsError`` that names the file and, where there is one, the line.
    init(at path: String) throws(SettingsError) {
        let yaml: String
        var root: Node?
        var problem: SettingsError?
        do throws(SecretFile.Refusal) {
            yaml = try SecretFile.text(at: path) { text in
                do { root = try Yams.compose(yaml: text) } catch {
                    problem = Self.malformed(path, error)
                    // What cannot be read may well hold one.
                    return true
                }
                return Self.holdsSecret(root)
            }
        } catch {
            throw Self.refused(path, error)
        }
        if let problem { throw problem }
        // A private file was not asked what it holds.
        if root == nil {
            do { root = try Yams.compose(yaml: yaml) } catch { throw Self.malformed(path, error) }
        }
        guard let root, root.null == nil else { return }
        guard let mapping = root.mapping else {
            throw .fileMalformed(
                path: path, line: root.mark?.line, problem: "it must hold key: value pairs")
        }
        try read(mapping, below: "", path)
    }

    private mutating func read(
        _ mapping: Node.Mapping, below prefix: String, _ path: String
    ) throws(SettingsError) {
        for (key, value) in mapping {
            let name = prefix + (key.string ?? "?")
            if let inner = value.mapping {
                try read(inner, below: name + ".", path)
                continue
            }
            // A group whose keys are all commented out.
            if value.null != nil, SettingsKey.isGroup(name) { continue }
            guard SettingsKey.isKnown(name) else {
                throw .unknownKey(
                    key: name, path: path, line: key.mark?.line,
                    nearest: SettingsKey.nearest(to: name))
            }
            values[name] = try Self.text(of: value, for: name, path)
        }
    }

    private static func text(
        of node: Node, for key: String, _ path: String
    ) throws(SettingsError) -> String {
        if node.null != nil { return "" }
        if let scalar = node.scalar { return scalar.string }
        let line = node.mark?.line
        guard let items = node.sequence.map({ $0.map { $0.scalar?.string } }),
            SettingsKey.takesList(key)
        else {
            throw .fileMalformed(path: path, line: line, problem: "\(key) takes one value")
        }
        let texts = items.compactMap { $0 }
        guard texts.count == items.count else {
            throw .fileMalformed(path: path, line: line, problem: "\(key) takes a plain list")
        }
        return texts.joined(separator: "\n")
    }

    private static func holdsSecret(_ node: Node?) -> Bool {
        guard let mapping = node?.mapping else { return false }
        return mapping.contains { key, value in
            SettingsKey.isSecret(key.string ?? "", value.scalar?.string) || holdsSecret(value)
        }
    }

    private static func refused(_ path: String, _ refusal: SecretFile.Refusal) -> SettingsError {
        switch refusal {
        case .unreadable(let reason): .fileUnreadable(path: path, reason: reason)
        case .exposed(let mode): .fileExposed(path: path, mode: mode)
        }
    }

    private static func malformed(_ path: String, _ error: any Error) -> SettingsError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            .fileMalformed(path: path, line: mark.line, problem: problem)
        case .duplicatedKeysInMapping(_, let context):
            .fileMalformed(path: path, line: context.mark.line, problem: "a key stands there twice")
        default: .fileMalformed(path: path, line: nil, problem: "it cannot be read as YAML")
        }
    }
}
