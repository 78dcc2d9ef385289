/// What is wrong with somebody's JSON, in the words of who reads the answer.
extension JSONError {
    package var sentence: String {
        switch self {
        case .empty: "it is empty"
        case .notUTF8: "it is not UTF-8"
        case .tooDeep: "it nests more than \(JSONDocument.depthMax) objects and arrays"
        case .number: "a number is malformed or too large"
        case .malformed: "it is not JSON"
        case .tooLarge: "it is too large"
        case .outOfMemory: "there is no memory to read it"
        }
    }
}

extension RecordCodecError {
    package var sentence: String {
        switch self {
        case .notJSON(let error): error.sentence
        case .notAnObject: "it is no object"
        case .field(let name): "\(name) is missing or not what it may be"
        case .repeated(let name): "it says \(ShownText.escaped(name)) twice; say it once"
        }
    }
}
