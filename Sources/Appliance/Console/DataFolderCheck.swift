import Foundation
import HTTPTypes
import Hummingbird
import NIOHTTP1

/// A command that means one data folder says which in each request, and the daemon of another one
/// refuses: two daemons may have had the same port one after the other.
package enum DataFolderCheck {
    package static let headerName = "tillbox-data-folder"

    /// A folder in a form that a header can hold.
    ///
    /// - Parameter path: its one absolute path, however it was spelt.
    package static func word(for path: String) -> String {
        path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
    }

    /// - Parameter dataPath: the data folder of this daemon, its one absolute path.
    /// - Throws: a problem that names both folders.
    static func check(_ request: Request, dataPath: String) throws(Problem) {
        guard let name = HTTPField.Name(headerName), let asked = request.headers[name],
            asked != word(for: dataPath)
        else { return }
        throw problem(asked, "\(dataPath), not")
    }

    /// The same for a command that shows no token of this folder: it is told nothing of it.
    static func checkStranger(_ headers: HTTPHeaders, dataPath: String) throws(Problem) {
        guard let asked = headers.first(name: headerName), asked != word(for: dataPath) else {
            return
        }
        throw problem(asked, "another data folder than")
    }

    private static func problem(_ asked: String, _ held: String) -> Problem {
        Problem(
            .conflict,
            "the daemon that answers holds \(held) "
                + "\(asked.removingPercentEncoding ?? asked); set admin.port (TILLBOX_ADMIN_PORT) "
                + "as the daemon of that folder has it, or name its folder with --data")
    }
}
