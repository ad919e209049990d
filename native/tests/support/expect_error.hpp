// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "core/error.hpp"

/// Expect a statement to throw a filigree::Error of this status whose message contains a part.
#define EXPECT_FG_ERROR(statement, expected_status, part)                          \
    do {                                                                           \
        try {                                                                      \
            statement;                                                             \
            ADD_FAILURE() << #statement " threw nothing";                          \
        } catch (const ::filigree::Error& error_) {                                \
            EXPECT_EQ(error_.status(), (expected_status)) << error_.what();        \
            EXPECT_NE(std::string(error_.what()).find(part), std::string::npos)    \
                << "message: " << error_.what() << "\nshould contain: " << (part); \
        }                                                                          \
    } while (false)
