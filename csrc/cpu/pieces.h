// One piece of work of an operation, for the operations that put several together.
#pragma once

#include "../kernels.h"

namespace amsx::cpu {

// Eq. 4 and 5 for one video.
Fault sample_video(const SamplingParams& p, int64_t video);

// Eq. 6 for the snippets [begin, end) of one video, whose timestamps are in order.
void gather_snippets(const GatherParams& p, int64_t video, int64_t begin, int64_t end);

}  // namespace amsx::cpu
