package import Bridges

extension PostgresConnection {
    /// Gives a role what a file of grants lists, all of it or nothing. Blocking.
    ///
    /// - Parameters:
    ///   - grants: SQL in which `:role` stands for the role's name, and lines of `--` for people.
    ///   - role: as the server knows it, without quotes.
    package func grant(_ grants: String, to role: String) throws {
        let name = "\"\(role.replacing("\"", with: "\"\""))\""
        let sql = grants.split(separator: "\n").filter { !$0.hasPrefix("--") }
            .joined(separator: "\n").replacing(":role", with: name)
        try transaction { try $0.execute(sql) }
    }
}
