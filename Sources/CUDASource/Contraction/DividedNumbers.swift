/// Numbers in single precision as sums of two bfloat16, which tensor cores multiply in three products: 16 bits by 16, to
/// 2^-16 of each product, in half as long again as TF32 takes for 11 bits by 11. The range is that of single precision, but
/// infinite numbers, and those from 0x1.FFp127 on, give NaN.
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
    /* Of lines of 32 numbers, packed as high parts and low ones in the order of matrix instructions: the word at a place. */
    template <class F> DEVICE float divided_line_word(int place, F element) {
      const int at = place & 15, first = (place & ~31) + (at >> 3) * 16 + (at >> 2 & 1) * 8 + (at & 3);
      uint32_t high, low;
      divide_floats(element(first), element(first + 4), high, low);
      return __int_as_float((int)(place & 16 ? low : high));
    }
    /* d += a * b on a warp, a 16 x 8 and b 8 x 8: two words of high parts and two of low ones; one of each. The product of low parts is left out. */
    DEVICE void mma_divided(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
      const uint32_t high[2] = {b[0], b[0]};
      mma_short_bfloat(d, a[0], a[1], b[1]);
      mma_bfloat(d, a, high);
    }

    """#
}
