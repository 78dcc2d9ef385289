import Foundation

/// Where root may make a folder for somebody else without being led astray: no folder and no link
/// on the way there is anybody's but root's. Whoever else may change one could put a link in its
/// place between a look and the deed, and would be given what that leads to.
enum RootsPlace {
    /// Links on the way; more are a ring.
    private static let linksMax = 40

    /// - Returns: the absolute path of `dir` without links, its last part as it stands; nil where
    ///   somebody else may change the way there, or where it leads nowhere.
    static func path(of dir: String) -> String? {
        let here = FileManager.default.currentDirectoryPath
        var parts = Self.parts(of: dir.hasPrefix("/") ? dir : "\(here)/\(dir)")
        guard let name = parts.popLast(), name != "..", let parent = walk(parts) else { return nil }
        return "\(parent)/\(name)"
    }

    private static func parts(of path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }
    }

    /// - Returns: where the parts lead from `/`, without a slash at its end.
    private static func walk(_ parts: [Substring]) -> String? {
        var (left, path, links) = (Array(parts.reversed()), "", 0)
        guard isRoots("/") == .folder else { return nil }
        while let part = left.popLast() {
            if part == ".." {
                path = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
                continue
            }
            switch isRoots("\(path)/\(part)") {
            case .folder: path += "/\(part)"
            case .link:
                links += 1
                let target = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "\(path)/\(part)")
                guard links <= linksMax, let target else { return nil }
                if target.hasPrefix("/") { path = "" }
                left += Self.parts(of: target).reversed()
            case nil: return nil
            }
        }
        return path
    }

    private enum Kind { case folder, link }

    /// nil for what somebody else may change. In a sticky folder nobody changes what is root's.
    private static func isRoots(_ path: String) -> Kind? {
        guard let found = try? FileManager.default.attributesOfItem(atPath: path),
            let owner = (found[.ownerAccountID] as? NSNumber)?.uint32Value, owner == 0,
            let mode = (found[.posixPermissions] as? NSNumber)?.uint32Value
        else { return nil }
        switch found[.type] as? FileAttributeType {
        case .typeSymbolicLink: return .link
        case .typeDirectory: return mode & 0o022 == 0 || mode & 0o1000 != 0 ? .folder : nil
        default: return nil
        }
    }
}
