// SPDX-License-Identifier: Apache-2.0
#include "ops/backend.hpp"

#include <c10/core/Stream.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

namespace filigree::ops {
namespace {

/// Four CUDA devices that are not there: which of them is current, and streams whose handles tell their device.
class FourDevices final : public c10::impl::DeviceGuardImplInterface {
public:
    FourDevices() : before_(slot().exchange(this)) {}
    FourDevices(const FourDevices&) = delete;
    FourDevices& operator=(const FourDevices&) = delete;
    ~FourDevices() override { slot().store(before_); }

    c10::DeviceType type() const override { return c10::kCUDA; }
    c10::Device exchangeDevice(c10::Device device) const override {
        const auto old = getDevice();
        setDevice(device);
        return old;
    }
    c10::Device getDevice() const override { return {c10::kCUDA, current_}; }
    void setDevice(c10::Device device) const override { current_ = device.index(); }
    void uncheckedSetDevice(c10::Device device) const noexcept override { current_ = device.index(); }
    c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
    c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
    c10::DeviceIndex deviceCount() const noexcept override { return static_cast<c10::DeviceIndex>(handles.size()); }
    void* getStreamNativeHandle(const c10::Stream stream) const override {
        return &handles.at(static_cast<std::size_t>(stream.device_index()));
    }

    mutable std::array<int, 4> handles{};

private:
    static std::atomic<const c10::impl::DeviceGuardImplInterface*>& slot() {
        return c10::impl::device_guard_impl_registry[static_cast<std::size_t>(c10::kCUDA)];
    }
    const c10::impl::DeviceGuardImplInterface* before_;
    mutable c10::DeviceIndex current_ = 0;
};

TEST(Stream, MakesItsDeviceTheCurrentOneForOneCall) {
    FourDevices devices;
    devices.setDevice({c10::kCUDA, 1});
    const auto call = [&](void* stream) {
        EXPECT_EQ(stream, &devices.handles[3]);
        return devices.getDevice().index();
    };
    EXPECT_EQ(call(current_stream({c10::kCUDA, 3})), 3);
    EXPECT_EQ(devices.getDevice().index(), 1);
}

TEST(Stream, OfTheCpuIsNone) { EXPECT_EQ(static_cast<void*>(current_stream(c10::kCPU)), nullptr); }

}  // namespace
}  // namespace filigree::ops
