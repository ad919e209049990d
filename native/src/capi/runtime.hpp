// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace filigree::capi {

/// @throws FG_INVALID_STATE before fg_runtime_init() and after fg_runtime_shutdown().
void require_started();

}  // namespace filigree::capi
