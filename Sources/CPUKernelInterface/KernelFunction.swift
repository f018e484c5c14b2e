/// What every CPU kernel looks like to the thread that runs it.
///
/// - `parameters`: the kernel's own plain structure, prepared once and shared by all threads and contexts.
/// - `operands`: the address of the first element of each operand, in the order that the kernel documents.
/// - `firstTask ..< endTask`: the part of the kernel's tasks to do; tasks write disjoint elements, in any order.
/// - `scratch`: bytes of the calling thread alone, aligned to 64, as many as the kernel asked for.
///
/// A kernel allocates nothing, locks nothing and never fails.
package typealias KernelFunction =
  @convention(c) (
    _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
  ) -> Void
