import Foundation
import HTTPTypes
import Hummingbird

/// A command that means one data folder says which in each request, and the daemon of another one
/// refuses: two daemons may have had the same port one after the other.
enum DataFolderCheck {
    static let headerName = "Tillbox-Data-Folder"

    /// The folder's one absolute path, in a form that a header can hold.
    static func word(for path: String) -> String {
        let canonical = DataFolder.canonical(path)
        return canonical.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? canonical
    }

    /// - Parameter dataPath: the data folder of this daemon.
    /// - Throws: a problem that names both folders.
    static func check(_ request: Request, dataPath: String) throws(Problem) {
        guard let name = HTTPField.Name(headerName), let asked = request.headers[name],
            asked != word(for: dataPath)
        else { return }
        throw Problem(
            .conflict,
            "the daemon that answers holds \(DataFolder.canonical(dataPath)), not "
                + "\(asked.removingPercentEncoding ?? asked); set admin.port (TILLBOX_ADMIN_PORT) "
                + "as the daemon of that folder has it, or name its folder with --data")
    }
}
