// A verilated board system at the end of a serial line, behind a C interface.
//
// The host's side of the line: bytes become bits of so many cycles each, and back.

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "Vshiftloom_top.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace shiftloom {

constexpr int kDataBits = 8;

class SerialBench {
  public:
    explicit SerialBench(int divisor)
        : divisor_(divisor),
          context_(std::make_unique<VerilatedContext>()),
          top_(std::make_unique<Vshiftloom_top>(context_.get())) {
        top_->rx = 1;
        top_->rst = 1;
        for (int k = 0; k < 4; ++k) cycle();
        top_->rst = 0;
    }

    ~SerialBench() { top_->final(); }

    void send(const uint8_t* bytes, int64_t count) {
        outgoing_.insert(outgoing_.end(), bytes, bytes + count);
    }

    int64_t receive(uint8_t* bytes, int64_t most) {
        int64_t count = 0;
        while (count < most && !received_.empty()) {
            bytes[count++] = received_.front();
            received_.pop_front();
        }
        return count;
    }

    int64_t waiting() const { return received_.size(); }
    int64_t unsent() const { return outgoing_.size(); }
    int64_t now() const { return now_; }

    // Run so many cycles, or until so many bytes have come.
    void run(int64_t cycles, int64_t bytes) {
        for (; cycles > 0 && waiting() < bytes; --cycles) {
            drive();
            cycle();
            observe();
        }
    }

  private:
    void cycle() {
        top_->clk = 0;
        top_->eval();
        top_->clk = 1;
        top_->eval();
        ++now_;
    }

    // Give the wire its level: start bit, data bits from the lowest, stop bit.
    void drive() {
        if (sending_left_ == 0) {
            if (outgoing_.empty()) return;
            sending_ = (outgoing_.front() | 1u << kDataBits) << 1;
            outgoing_.pop_front();
            sending_left_ = (kDataBits + 2) * divisor_;
        }
        const int bit = kDataBits + 1 - (sending_left_ - 1) / divisor_;
        top_->rx = sending_ >> bit & 1;
        --sending_left_;
    }

    // Read the middle of each bit; a byte without a stop bit is left out.
    void observe() {
        const bool level = top_->tx;
        if (receiving_left_ == 0) {
            if (level) return;
            receiving_left_ = (kDataBits + 2) * divisor_ - 1;
            taken_ = 0;
            return;
        }
        --receiving_left_;
        const int past = (kDataBits + 2) * divisor_ - 1 - receiving_left_;
        if (past % divisor_ != divisor_ / 2) return;
        const int bit = past / divisor_ - 1;
        if (bit >= 0 && bit < kDataBits) taken_ |= level << bit;
        if (bit == kDataBits) {
            if (level) received_.push_back(taken_);
            receiving_left_ = 0;
        }
    }

    const int divisor_;
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vshiftloom_top> top_;
    std::deque<uint8_t> outgoing_, received_;
    uint32_t sending_ = 0, taken_ = 0;
    int sending_left_ = 0, receiving_left_ = 0;
    int64_t now_ = 0;
};

}  // namespace shiftloom

using shiftloom::SerialBench;

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT SerialBench* shiftloom_open(int divisor) { return new SerialBench(divisor); }
EXPORT void shiftloom_close(SerialBench* bench) { delete bench; }

EXPORT void shiftloom_send(SerialBench* bench, const uint8_t* bytes, int64_t count) {
    bench->send(bytes, count);
}

EXPORT int64_t shiftloom_receive(SerialBench* bench, uint8_t* bytes, int64_t most) {
    return bench->receive(bytes, most);
}

EXPORT int64_t shiftloom_waiting(SerialBench* bench) { return bench->waiting(); }
EXPORT int64_t shiftloom_unsent(SerialBench* bench) { return bench->unsent(); }
EXPORT int64_t shiftloom_now(SerialBench* bench) { return bench->now(); }

EXPORT void shiftloom_run(SerialBench* bench, int64_t cycles, int64_t bytes) {
    bench->run(cycles, bytes);
}
