internal import CPostgres

/// Looks at a URI before libpq does, whose own words about a bad one quote it: with a password that
/// has a sign in it which a URI must write as `%40` and the like, that would print the password.
enum PostgresURI {
    static func check(_ uri: String) throws(PostgresError) {
        guard !uri.contains("\0") else { throw .configuration("it has a zero byte in it") }
        // Without one of these libpq takes the text for the name of a database.
        guard uri.hasPrefix("postgresql://") || uri.hasPrefix("postgres://") || uri.contains("=")
        else {
            throw .configuration("write postgresql://user@host/database, or keyword=value pairs")
        }
        let options = try options(of: uri)
        let escape = "write @ : / ? # in a user or password as %40 %3A %2F %3F %23"
        let ports = options["port", default: ""].split(separator: ",")
        guard ports.allSatisfy({ UInt16($0).map { $0 > 0 } ?? false }) else {
            throw .configuration("a port is no number from 1 to 65535; \(escape)")
        }
        // A socket's folder has slashes, and no host has a sign of a user.
        if (options["host", default: ""] + options["dbname", default: ""]).contains("@") {
            throw .configuration("the host or the database has an @ in it; \(escape)")
        }
    }

    /// The keywords that the text sets.
    static func options(of uri: String) throws(PostgresError) -> [String: String] {
        var words: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(uri, &words) else {
            // SAFETY: libpq has made the words for us to free. They quote the URI.
            PQfreemem(words)
            throw .configuration("it is malformed; see \"Connection URIs\" in libpq's manual")
        }
        // SAFETY: the array is ours until it is freed here; a nil keyword ends it.
        defer { PQconninfoFree(parsed) }
        var options: [String: String] = [:]
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                options[String(cString: keyword)] = String(cString: value)
            }
            option += 1
        }
        return options
    }
}
