/// Numbers in single precision as sums of two bfloat16, which tensor cores multiply in three products: 16 bits by 16, to
/// 2^-16 of each product, in half as long again as TF32 takes for 11 bits by 11. Or as sums of three, in six products: all 24
/// bits, to 2^-25 of each product. The range is that of single precision, but infinite numbers, and those from 0x1.FFp127 on,
/// give NaN.
enum DividedNumbers {
  static let text = #"""
    /* Two numbers' high parts, and their low ones; an infinite number's low part is NaN. */
    DEVICE void divide_floats(float x, float y, uint32_t& high, uint32_t& low) {
      high = floats_to_bfloats(x, y);
      low = floats_to_bfloats(x - __int_as_float((int)(high << 16)), y - __int_as_float((int)(high & 0xffff0000u)));
    }
    DEVICE void divide_floats(uint32_t x, uint32_t y, uint32_t& high, uint32_t& low) { divide_floats(__int_as_float((int)x), __int_as_float((int)y), high, low); }
    /* A number's two parts in one word, the high one above. */
    DEVICE float divided_float(float x) {
      uint32_t high, low;
      divide_floats(x, 0.0f, high, low);
      return __int_as_float((int)(high << 16 | (low & 0xffffu)));
    }
    /* The parts of two such words. */
    DEVICE void divided_parts(uint32_t x, uint32_t y, uint32_t& high, uint32_t& low) {
      high = x >> 16 | (y & 0xffff0000u);
      low = (x & 0xffffu) | y << 16;
    }
    /* The same in three parts, together all bits of a number. */
    DEVICE void divide_floats(float x, float y, uint32_t& high, uint32_t& middle, uint32_t& low) {
      divide_floats(x, y, high, middle);
      const float left = x - __int_as_float((int)(high << 16)), right = y - __int_as_float((int)(high & 0xffff0000u));
      low = floats_to_bfloats(left - __int_as_float((int)(middle << 16)), right - __int_as_float((int)(middle & 0xffff0000u)));
    }
    DEVICE void divide_floats(uint32_t x, uint32_t y, uint32_t& high, uint32_t& middle, uint32_t& low) { divide_floats(__int_as_float((int)x), __int_as_float((int)y), high, middle, low); }
    /* Of lines of 32 numbers, packed as high parts and the others in the order of matrix instructions: the word at a place. */
    template <int parts, class F> DEVICE float divided_line_word(int place, F element) {
      const int line = place / (16 * parts), part = place / 16 % parts, at = place & 15;
      const int first = line * 32 + (at >> 3) * 16 + (at >> 2 & 1) * 8 + (at & 3);
      uint32_t words[3];
      divide_floats(element(first), element(first + 4), words[0], words[1], words[2]);
      return __int_as_float((int)words[part]);
    }
    /* d += a * b on a warp, a 16 x 8 and b 8 x 8: two words of high parts and two of low ones; one of each. The product of low parts is left out. */
    DEVICE void mma_divided(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
      const uint32_t high[2] = {b[0], b[0]};
      mma_short_bfloat(d, a[0], a[1], b[1]);
      mma_bfloat(d, a, high);
    }

    """#
}
