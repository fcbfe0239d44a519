//! ONNX models: sessions on a runtime loaded at run time. The only code that names `ort`.
