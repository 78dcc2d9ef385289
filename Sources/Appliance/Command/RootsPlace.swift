import Foundation

/// Where root may make folders and files without being led astray: no folder and no link on the way
/// there is anybody's but root's. Whoever else may change one could put a link in its place between
/// a look and the deed, and would have written, or be given, what that leads to.
enum RootsPlace {
    /// What is known of a file.
    typealias Attributes = [FileAttributeKey: Any]

    /// Links on the way; more are a ring.
    private static let linksMax = 40

    /// - Returns: the absolute path of `dir` without links, its last part as it stands; nil where
    ///   somebody else may change the way there, or where it leads nowhere.
    static func path(of dir: String) -> String? {
        var parts = parts(of: dir)
        guard let name = parts.popLast(), name != "..", case .roots(let parent) = walk(parts)
        else { return nil }
        return "\(parent)/\(name)"
    }

    /// The first on the way to a place, itself included, that is somebody else's, who may thus
    /// change all behind it; nil where there is none.
    static func stranger(on path: String) -> Attributes? {
        guard case .somebodys(let attributes) = walk(parts(of: path)) else { return nil }
        return attributes
    }

    private static func parts(of path: String) -> [Substring] {
        let here = path.hasPrefix("/") ? "" : FileManager.default.currentDirectoryPath
        return names(in: "\(here)/\(path)")
    }

    private static func names(in path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }
    }

    private enum Way {
        /// To this path, without a slash at its end.
        case roots(String)
        case somebodys(Attributes)
        /// To nothing, or through a folder that others may write to.
        case lost
    }

    private static func walk(_ parts: [Substring]) -> Way {
        var (left, path, links) = (Array(parts.reversed()), "", 0)
        while let part = left.popLast() {
            if part == ".." {
                path = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
                continue
            }
            let next = "\(path)/\(part)"
            guard let found = try? FileManager.default.attributesOfItem(atPath: next) else {
                return .lost
            }
            guard (found[.ownerAccountID] as? NSNumber)?.uint32Value == 0 else {
                return .somebodys(found)
            }
            switch found[.type] as? FileAttributeType {
            case .typeDirectory where isShut(found): path = next
            case .typeSymbolicLink:
                links += 1
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: next)
                guard links <= linksMax, let target else { return .lost }
                if target.hasPrefix("/") { path = "" }
                left += names(in: target).reversed()
            default: return .lost
            }
        }
        return .roots(path)
    }

    /// Whether nobody but root changes what is root's there: in a sticky folder nobody does.
    private static func isShut(_ folder: Attributes) -> Bool {
        guard let mode = (folder[.posixPermissions] as? NSNumber)?.uint32Value else { return false }
        return mode & 0o022 == 0 || mode & 0o1000 != 0
    }
}
