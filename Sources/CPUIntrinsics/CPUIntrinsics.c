#include "CPUIntrinsics.h"
